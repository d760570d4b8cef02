package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/pkg/platform/postgres"
)

var errMigrating = errors.New("the database is not migrated yet")

// schema is the state of the database: migrated or not yet, and answering or not.
type schema struct {
	db      *gorm.DB
	migrate func(ctx context.Context) error
	done    chan struct{} // closed when migrated
}

func newSchema(db *gorm.DB, migrate func(ctx context.Context) error) *schema {
	return &schema{db: db, migrate: migrate, done: make(chan struct{})}
}

// Run migrates the database, however long it takes to come up.
func (s *schema) Run(ctx context.Context) error {
	if err := s.migrate(ctx); err != nil {
		if ctx.Err() != nil {
			return nil //nolint:nilerr // stopped while it waited
		}
		return err
	}
	close(s.done)
	return nil
}

// then runs fn once the database is migrated.
func (s *schema) then(ctx context.Context, fn func() error) func() error {
	return func() error {
		select {
		case <-ctx.Done():
			return nil
		case <-s.done:
			return fn()
		}
	}
}

// guard answers 503 while the tables are not there yet.
func (s *schema) guard(c *gin.Context) {
	select {
	case <-s.done:
	default:
		httpx.WriteError(c, httpx.Unavailable("The service is starting. Try again.", retryMigrating, errMigrating))
	}
}

// Ready is nil when the database is migrated and answers.
func (s *schema) Ready(ctx context.Context) error {
	select {
	case <-s.done:
		return postgres.Ping(ctx, s.db)
	default:
		return errMigrating
	}
}

// reportSidecar writes one line when there is no sidecar, and one when it has come.
func reportSidecar(ctx context.Context, sidecar interface{ Ready(context.Context) error }, log *slog.Logger) error {
	missing := false
	grace := time.After(sidecarGrace)
	for {
		err := sidecar.Ready(ctx)
		if err == nil {
			if missing {
				log.InfoContext(ctx, "the Dapr sidecar is there")
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-grace:
			missing = true
			log.WarnContext(ctx, "no Dapr sidecar: reminders are delivered to the list, events wait in the outbox", "error", err.Error())
		case <-time.After(sidecarPoll):
		}
	}
}

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
