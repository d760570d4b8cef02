// Package database opens a service's Postgres database together with the migration gate that protects it.
//
// Promises:
//   - Open does not dial: the service starts while its database is away.
//   - Open puts the gate before both sides of the service. No service with a database can do without it.
//   - The migration runs as the owner role and the service as its own role.
package database

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"github.com/taskwire/taskwire/pkg/platform/postgres"
	"github.com/taskwire/taskwire/pkg/platform/service"
)

// Set is a set of migrations.
type Set = postgres.Set

// Config names a service's database.
type Config struct {
	URL        string // as the role of the service
	MigrateURL string // as the role that owns the tables
	Migrations []Set  // in the order in which they run
	MaxConns   int    // 0: the default of package postgres
}

// Database is an open database. The methods of its gate run the migration and what has to wait for it.
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
	migrate := func(ctx context.Context) error {
		return postgres.Migrate(ctx, cfg.MigrateURL, base.Log, cfg.Migrations...)
	}
	gate := service.NewMigrationGate(ping, migrate)
	base.UseGate(gate)
	return &Database{MigrationGate: gate, Handle: handle, URL: cfg.URL}, nil
}

// Close closes the connections of the handle.
func (d *Database) Close() error {
	if err := postgres.Close(d.Handle); err != nil {
		return fmt.Errorf("close the database: %w", err)
	}
	return nil
}
