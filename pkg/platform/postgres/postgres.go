// Package postgres opens, migrates and judges the errors of a service's own Postgres database.
//
// It promises:
//   - Open never dials, so that a process starts without its database; Ping is readiness's business.
//   - Every statement has a time limit, and a transaction that stands idle is ended by the server: a stuck request
//     cannot hold a row lock for ever.
//   - Times come back in UTC.
//   - Migrate may be called by any number of replicas at once: one of them does the work, the others wait for it.
//   - IsUnavailable is the one answer to "would this work later?".
package postgres

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/stdlib"
	gormpg "gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

const (
	// defaultMaxConns keeps five services of two replicas, with their relays, below the usual max_connections of 200.
	defaultMaxConns = 16
	// defaultStatementTimeout is far above any statement of a request and below the time limits of its callers.
	defaultStatementTimeout = 5 * time.Second
	// idleTxFactor: between two statements of one transaction a process does only arithmetic, so a transaction idle
	// this many statement timeouts long belongs to a process that is stuck.
	idleTxFactor = 2
	// connectTimeout bounds one dial, so that a host that swallows packets cannot hold a request for minutes.
	connectTimeout = 5 * time.Second
	// connMaxLifetime makes the pool follow a server that moved behind the same name.
	connMaxLifetime = 30 * time.Minute
	connMaxIdleTime = 5 * time.Minute
)

// Config says which database and how hard it may be used. Zero values take the defaults.
type Config struct {
	URL              string
	MaxConns         int           // default 16
	StatementTimeout time.Duration // default 5s
	AppName          string        // shown in pg_stat_activity
}

// Open makes the handle. It does not dial: a server that is down shows in Ping and in the first query. It fails only
// on a URL that cannot be read, and its error does not repeat the password.
//
// gorm runs single statements without a transaction of its own and does not prepare: pgx caches statements for each
// connection already.
func Open(_ context.Context, cfg Config) (*gorm.DB, error) {
	if cfg.MaxConns <= 0 {
		cfg.MaxConns = defaultMaxConns
	}
	if cfg.StatementTimeout <= 0 {
		cfg.StatementTimeout = defaultStatementTimeout
	}
	conn, err := ConnConfig(cfg.URL, cfg.AppName)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	setDefault(conn.RuntimeParams, "statement_timeout", millis(cfg.StatementTimeout))
	setDefault(conn.RuntimeParams, "idle_in_transaction_session_timeout", millis(idleTxFactor*cfg.StatementTimeout))

	pool := stdlib.OpenDB(*conn, stdlib.OptionAfterConnect(scanUTC))
	pool.SetMaxOpenConns(cfg.MaxConns)
	pool.SetMaxIdleConns(cfg.MaxConns)
	pool.SetConnMaxLifetime(connMaxLifetime)
	pool.SetConnMaxIdleTime(connMaxIdleTime)

	db, err := gorm.Open(gormpg.New(gormpg.Config{Conn: pool, DSN: cfg.URL}), &gorm.Config{
		SkipDefaultTransaction: true,
		DisableAutomaticPing:   true,
		Logger:                 logger.Discard, // errors are logged once, by who handles them
		NowFunc:                func() time.Time { return time.Now().UTC() },
	})
	if err != nil {
		_ = pool.Close()
		return nil, fmt.Errorf("open database: %w", err)
	}
	return db, nil
}

// ConnConfig reads a database URL for a connection outside the pool, with this package's dial limit.
func ConnConfig(url, appName string) (*pgx.ConnConfig, error) {
	conn, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, err // pgx leaves the password out of it
	}
	if conn.ConnectTimeout == 0 || conn.ConnectTimeout > connectTimeout {
		conn.ConnectTimeout = connectTimeout
	}
	if appName != "" {
		setDefault(conn.RuntimeParams, "application_name", appName)
	}
	return conn, nil
}

// URL is the address a handle was opened with; empty when it was not opened by Open.
func URL(db *gorm.DB) string {
	if d, ok := db.Dialector.(*gormpg.Dialector); ok {
		return d.DSN
	}
	return ""
}

// Close ends the handle's connections.
func Close(db *gorm.DB) error {
	pool, err := db.DB()
	if err != nil {
		return err
	}
	return pool.Close()
}

// Ping tells whether the database answers. It bounds itself only by ctx.
func Ping(ctx context.Context, db *gorm.DB) error {
	pool, err := db.DB()
	if err != nil {
		return fmt.Errorf("ping database: %w", err)
	}
	if err := pool.PingContext(ctx); err != nil {
		return fmt.Errorf("ping database: %w", err)
	}
	return nil
}

func scanUTC(_ context.Context, conn *pgx.Conn) error {
	conn.TypeMap().RegisterType(&pgtype.Type{
		Name: "timestamptz", OID: pgtype.TimestamptzOID, Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC},
	})
	return nil
}

func setDefault(params map[string]string, name, value string) {
	if _, set := params[name]; !set {
		params[name] = value
	}
}

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
