// Package database opens a service's Postgres database together with the migration gate that protects it, and migrates
// it in a process of its own.
//
// Promises:
//   - Open does not dial: the service starts while its database is away.
//   - Open puts the gate before both sides of the service. No service with a database can do without it.
//   - A service only reads the version of its database, with its own role. The command migrate is the one that changes
//     the database. It alone is given the address of the role that owns the tables.
package database

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
	"gorm.io/gorm"

	"github.com/taskwire/taskwire/pkg/platform/postgres"
	"github.com/taskwire/taskwire/pkg/platform/service"
)

const (
	// versionPoll is the time between two looks at the version of a database that is not migrated. A query of one row
	// costs little, and a service should work soon after the migration.
	versionPoll = 500 * time.Millisecond
	// versionProgress is the time between two log lines while the service waits.
	versionProgress = 10 * time.Second
)

// Set is a set of migrations.
type Set = postgres.Set

// Config names a service's database.
type Config struct {
	URL        string // as the role of the service
	Migrations []Set  // what the database must have before the service uses it
	MaxConns   int    // 0: the default of package postgres
}

// Database is an open database. The methods of its gate wait for the migration and run what has to wait for it.
type Database struct {
	*service.MigrationGate
	Handle *gorm.DB
	URL    string // as the role of the service
}

// Open opens the database of the service base, before its sides are made. It returns an error only for a URL that
// cannot be parsed.
func Open(ctx context.Context, base *service.Service, cfg Config) (*Database, error) {
	if len(cfg.Migrations) == 0 {
		return nil, errors.New("open the database: no migrations are given")
	}
	handle, err := postgres.Open(ctx, postgres.Config{URL: cfg.URL, MaxConns: cfg.MaxConns, AppName: base.App()})
	if err != nil {
		return nil, err
	}
	ping := func(ctx context.Context) error { return postgres.Ping(ctx, handle) }
	await := func(ctx context.Context) error { return awaitVersion(ctx, base, handle, cfg.Migrations) }
	gate := service.NewMigrationGate(ping, await)
	base.UseGate(gate)
	return &Database{MigrationGate: gate, Handle: handle, URL: cfg.URL}, nil
}

// awaitVersion waits until the database is there and has all migrations. It returns at once an error that waiting does
// not mend, such as a refused password.
func awaitVersion(ctx context.Context, base *service.Service, handle *gorm.DB, sets []Set) error {
	start := time.Now()
	var logged time.Time // the first line comes at once
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := postgres.Migrated(ctx, handle, sets...)
		if err != nil && !errors.Is(err, postgres.ErrNotMigrated) && !postgres.IsUnavailable(err) {
			err = backoff.Permanent(err)
		}
		return struct{}{}, err
	},
		backoff.WithBackOff(backoff.NewConstantBackOff(versionPoll)), backoff.WithMaxElapsedTime(0), // ctx is the only bound
		backoff.WithNotify(func(err error, _ time.Duration) {
			if time.Since(logged) >= versionProgress {
				logged = time.Now()
				base.Log.WarnContext(ctx, "waiting for the migration of the database, which `"+base.App()+" migrate` runs",
					"waited", time.Since(start).Round(time.Second).String(), "reason", err.Error())
			}
		}))
	return err
}

// Close closes the connections of the handle.
func (d *Database) Close() error {
	if err := postgres.Close(d.Handle); err != nil {
		return fmt.Errorf("close the database: %w", err)
	}
	return nil
}
