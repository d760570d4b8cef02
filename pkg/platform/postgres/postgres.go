// Package postgres opens and migrates a service's own Postgres database, and classifies its errors.
//
// It promises:
//   - Open never dials, so a process starts without its database. Readiness calls Ping.
//   - Every statement has a time limit, and the server ends a transaction that stands idle: a stuck request cannot hold
//     a row lock for ever.
//   - Times are returned in UTC.
//   - Any number of replicas may call Migrate at the same time: one of them migrates, the others wait for it.
//   - IsUnavailable says whether the same call can succeed later. Linking this package makes it the answer of package
//     transient too, which handlers and subscribers ask.
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
	// defaultMaxConns keeps five services with two replicas each, and their relays, below the usual max_connections of 200.
	defaultMaxConns = 16
	// defaultStatementTimeout is far above any statement of a request and below the time limits of its callers.
	defaultStatementTimeout = 5 * time.Second
	// idleTxFactor: between two statements of a transaction a process only computes. A transaction that is idle for this
	// many statement timeouts belongs to a stuck process.
	idleTxFactor = 2
	// connectTimeout bounds one dial, so that a host that drops packets cannot hold a request for minutes.
	connectTimeout = 5 * time.Second
	// connMaxLifetime makes the pool find a server that moved to another address of the same name.
	connMaxLifetime = 30 * time.Minute
	connMaxIdleTime = 5 * time.Minute
)

// Config is a database and the limits of its use. Zero values take the defaults.
type Config struct {
	URL              string
	MaxConns         int           // default 16
	StatementTimeout time.Duration // default 5s
	AppName          string        // shown in pg_stat_activity
}

// Open returns a handle and does not dial: Ping and the first query fail when the server is down. Open fails only for
// a URL that cannot be parsed, and its error does not contain the password.
//
// gorm runs single statements without a transaction of its own and prepares none, because pgx caches the statements of
// each connection already.
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
		Logger:                 logger.Discard, // an error is logged once, where it is handled
		NowFunc:                func() time.Time { return time.Now().UTC() },
	})
	if err != nil {
		_ = pool.Close()
		return nil, fmt.Errorf("open database: %w", err)
	}
	return db, nil
}

// ConnConfig parses a database URL for a connection outside the pool. Dialling has this package's time limit.
func ConnConfig(url, appName string) (*pgx.ConnConfig, error) {
	conn, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, err // pgx leaves the password out
	}
	if conn.ConnectTimeout == 0 || conn.ConnectTimeout > connectTimeout {
		conn.ConnectTimeout = connectTimeout
	}
	if appName != "" {
		setDefault(conn.RuntimeParams, "application_name", appName)
	}
	return conn, nil
}

// URL returns the URL that Open was called with, or "" when Open did not make the handle.
func URL(db *gorm.DB) string {
	if d, ok := db.Dialector.(*gormpg.Dialector); ok {
		return d.DSN
	}
	return ""
}

// Close closes the handle's connections.
func Close(db *gorm.DB) error {
	pool, err := db.DB()
	if err != nil {
		return err
	}
	return pool.Close()
}

// Ping returns nil when the database answers. Only ctx bounds its time.
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
