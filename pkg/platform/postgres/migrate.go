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

	"github.com/cenkalti/backoff/v5"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

const (
	migrateRetry    = 250 * time.Millisecond // between two attempts
	migrateProgress = 3 * time.Second        // between two log lines while it waits
	// migrateLockTimeout: while a migration waits for a table lock, every later statement on that table waits behind it.
	// So it gives up the lock after this time and tries again.
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
// of the database, so that of replicas that start together one migrates and the others wait for it. While the server
// is not up, or another replica migrates, it tries again until ctx ends and logs that every few seconds. It fails at
// once on what waiting does not mend: a bad URL, a refused password, a bad migration (the error names set and file).
// Every role of the database may then read the versions (see Migrated), and none but the owner may change them.
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

	start, logged := time.Now(), time.Now()
	waited := func() string { return time.Since(start).Round(time.Second).String() }
	var last error // of the last attempt: backoff.Retry returns the context's error instead
	attempt := func() (struct{}, error) {
		last = migrateOnce(ctx, conn, log, sets)
		if last != nil && !errors.Is(last, errLockHeld) && !IsUnavailable(last) {
			return struct{}{}, backoff.Permanent(last)
		}
		return struct{}{}, last
	}
	_, err = backoff.Retry(ctx, attempt,
		backoff.WithBackOff(backoff.NewConstantBackOff(migrateRetry)),
		backoff.WithMaxElapsedTime(0), // ctx is the only bound
		backoff.WithNotify(func(err error, _ time.Duration) {
			if time.Since(logged) < migrateProgress {
				return
			}
			logged = time.Now()
			log.InfoContext(ctx, "waiting to migrate the database", "waited", waited(),
				"host", conn.Host, "port", conn.Port, "database", conn.Database, "reason", err.Error())
		}))
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("migrate: gave up after %s: %w", waited(), last)
	default:
		return fmt.Errorf("migrate: %w", last)
	}
}

// migrateOnce applies what is missing. It returns errLockHeld when another process migrates.
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
		if err := showVersion(ctx, db, s); err != nil {
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
		goose.WithTableName("goose_"+s.Name), goose.WithDisableGlobalRegistry(true),
		// A migration may have been merged after one with a higher number, and be missing where that one was applied already.
		goose.WithAllowOutofOrder(true))
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
