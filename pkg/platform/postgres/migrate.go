package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"log/slog"
	"path"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

const (
	migrateRetry    = 250 * time.Millisecond // between two tries
	migrateProgress = 3 * time.Second        // between two progress lines
	// migrateLockTimeout: a migration that waits for a table lock makes everybody behind it wait. It gives way and
	// tries again.
	migrateLockTimeout = 5 * time.Second
)

// Set is one service's or package's goose .sql files (at the root of FS), with its own version table goose_<Name>.
type Set struct {
	Name string
	FS   fs.FS
}

var setName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,40}$`)

// errLockHeld: another replica migrates now.
var errLockHeld = errors.New("another process is migrating")

// Migrate brings every set up to date, in the given order, each file in its own transaction. It holds an advisory lock
// of the database meanwhile, so that replicas that start together wait for the one that works. While the server is not
// up, or another replica works, it tries again until ctx ends and says so every few seconds. It fails at once on what
// waiting does not mend: a bad URL, a refused password, a bad migration (the error names set and file).
func Migrate(ctx context.Context, url string, log *slog.Logger, sets ...Set) error {
	for _, s := range sets {
		if !setName.MatchString(s.Name) {
			return fmt.Errorf("migrate: bad set name %q", s.Name)
		}
		if s.FS == nil {
			return fmt.Errorf("migrate: set %s has no files", s.Name)
		}
	}
	conn, err := ConnConfig(url, "taskwire-migrate")
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	conn.RuntimeParams["statement_timeout"] = "0" // an index build takes as long as it takes
	conn.RuntimeParams["lock_timeout"] = millis(migrateLockTimeout)

	start, spoke := time.Now(), time.Now()
	for {
		err := migrateOnce(ctx, conn, log, sets)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("migrate: gave up after %s: %w", time.Since(start).Round(time.Second), err)
		}
		if !errors.Is(err, errLockHeld) && !IsUnavailable(err) {
			return fmt.Errorf("migrate: %w", err)
		}
		if time.Since(spoke) >= migrateProgress {
			spoke = time.Now()
			log.InfoContext(ctx, "waiting to migrate the database", "waited", time.Since(start).Round(time.Second).String(),
				"host", conn.Host, "port", conn.Port, "database", conn.Database, "reason", err.Error())
		}
		select {
		case <-ctx.Done():
		case <-time.After(migrateRetry):
		}
	}
}

func migrateOnce(ctx context.Context, cfg *pgx.ConnConfig, log *slog.Logger, sets []Set) error {
	lock, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return err
	}
	// The lock ends with its connection, also when this process dies.
	defer func() { _ = lock.Close(context.WithoutCancel(ctx)) }()
	var got bool
	if err := lock.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", MigrationLock).Scan(&got); err != nil {
		return fmt.Errorf("take the migration lock: %w", err)
	}
	if !got {
		return errLockHeld
	}
	db := stdlib.OpenDB(*cfg)
	defer func() { _ = db.Close() }()
	for _, s := range sets {
		if err := migrateSet(ctx, db, log, s); err != nil {
			return err
		}
	}
	return nil
}

// MigrationLock is the key of the advisory lock that Migrate holds. All sets of a database share it.
var MigrationLock = func() int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte("taskwire migrations"))
	return int64(h.Sum64())
}()

func migrateSet(ctx context.Context, db *sql.DB, log *slog.Logger, s Set) error {
	p, err := goose.NewProvider(goose.DialectPostgres, db, s.FS,
		goose.WithTableName("goose_"+s.Name), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("set %s: %w", s.Name, err)
	}
	applied, err := p.Up(ctx)
	for _, r := range applied {
		log.InfoContext(ctx, "migrated the database", "set", s.Name, "file", path.Base(r.Source.Path),
			"took", r.Duration.Round(time.Millisecond).String())
	}
	var partial *goose.PartialError
	if errors.As(err, &partial) {
		return fmt.Errorf("set %s: file %s: %w", s.Name, path.Base(partial.Failed.Source.Path), partial.Err)
	}
	if err != nil {
		return fmt.Errorf("set %s: %w", s.Name, err)
	}
	return nil
}
