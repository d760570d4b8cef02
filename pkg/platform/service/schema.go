package service

import (
	"context"
	"errors"
	"time"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/pkg/platform/postgres"
)

// retryMigrating is what a client is told to wait while the database is made ready.
const retryMigrating = 2 * time.Second

var errMigrating = errors.New("the database is not migrated yet")

// Schema is the state of a service's database: migrated or not yet, and answering or not.
type Schema struct {
	db      *gorm.DB
	migrate func(ctx context.Context) error
	done    chan struct{} // closed when migrated
}

// NewSchema is for the database db, which migrate brings up to date. migrate is called once, by Run, and waits for a
// database that is away.
func NewSchema(db *gorm.DB, migrate func(ctx context.Context) error) *Schema {
	return &Schema{db: db, migrate: migrate, done: make(chan struct{})}
}

// Run migrates the database, however long it takes to come up. It returns nil when that is done, or ctx is.
func (s *Schema) Run(ctx context.Context) error {
	if err := s.migrate(ctx); err != nil {
		if ctx.Err() != nil {
			return nil //nolint:nilerr // stopped while it waited
		}
		return err
	}
	close(s.done)
	return nil
}

// Then is fn, begun when the database is migrated: for what works on its tables. It returns nil when ctx is done before.
func (s *Schema) Then(ctx context.Context, fn func(ctx context.Context) error) func() error {
	return func() error {
		select {
		case <-ctx.Done():
			return nil
		case <-s.done:
			return fn(ctx)
		}
	}
}

// Guard answers 503 while the tables are not there yet.
func (s *Schema) Guard(c *gin.Context) {
	if !s.migrated() {
		httpx.WriteError(c, httpx.Unavailable("The service is starting. Try again.", retryMigrating, errMigrating))
	}
}

// Ready is nil when the database is migrated and answers.
func (s *Schema) Ready(ctx context.Context) error {
	if !s.migrated() {
		return errMigrating
	}
	return postgres.Ping(ctx, s.db)
}

func (s *Schema) migrated() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}
