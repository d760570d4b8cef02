package tasks

// This file makes the search terms of tasks that an earlier version of the service wrote.

import (
	"context"
	"log/slog"
	"time"
)

// refoldInterval is how often the service looks for such tasks. They appear only while replicas of an earlier version run.
const refoldInterval = time.Minute

// Refolder makes search terms again. Several replicas may use it at the same time.
type Refolder interface {
	// Refold makes the terms of some rows that an earlier version of the service wrote. It reports whether it found any.
	Refold(ctx context.Context) (more bool, err error)
}

// RunRefold makes the missing search terms until ctx ends. It logs a failure, and the next run makes the rest.
func (s *Service) RunRefold(ctx context.Context, log *slog.Logger) error {
	tick := time.NewTicker(refoldInterval)
	defer tick.Stop()
	for {
		if err := s.Refold(ctx); err != nil && ctx.Err() == nil {
			log.WarnContext(ctx, "could not make search terms again; trying again later", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Refold makes all search terms that are missing.
func (s *Service) Refold(ctx context.Context) error {
	for {
		if more, err := s.store.Refold(ctx); err != nil || !more {
			return err
		}
	}
}
