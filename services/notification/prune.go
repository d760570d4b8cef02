package main

import (
	"context"
	"log/slog"
	"time"
)

// pruner is the part of the inbox that forgets.
type pruner interface {
	Prune(ctx context.Context, olderThan time.Duration) (int64, error)
}

// prune forgets old event ids until ctx is done.
func prune(ctx context.Context, ids pruner, log *slog.Logger) error {
	for {
		switch n, err := ids.Prune(ctx, inboxRetention); {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // it was told to stop
		case err != nil:
			log.WarnContext(ctx, "old event ids cannot be forgotten, trying again later", "error", err.Error())
		case n > 0:
			log.InfoContext(ctx, "old event ids forgotten", "count", n)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pruneInterval):
		}
	}
}
