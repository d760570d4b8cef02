package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/pressly/goose/v3"
	"gorm.io/gorm"
)

// ErrNotMigrated is wrapped when a database does not have all migrations that the program knows.
var ErrNotMigrated = errors.New("the database is not migrated yet")

// SQLSTATEs of a version table that is not there, or that its owner has not opened to readers.
const (
	undefinedTable        = "42P01"
	insufficientPrivilege = "42501"
)

// Migrated returns nil when the database has every migration of every set. It only reads, so it works with the
// role of a service. A database of a later version passes, so an older program can run on it. It wraps ErrNotMigrated
// when a migration is missing.
func Migrated(ctx context.Context, db *gorm.DB, sets ...Set) error {
	pool, err := db.DB()
	if err != nil {
		return fmt.Errorf("read the version of the database: %w", err)
	}
	for _, s := range sets {
		want, err := s.versions()
		if err != nil {
			return err
		}
		var missing *int64
		err = pool.QueryRowContext(ctx, `SELECT min(v) FROM unnest($1::bigint[]) v
			WHERE NOT EXISTS (SELECT FROM `+s.table()+` t WHERE t.version_id = v AND t.is_applied)`, want).Scan(&missing)
		var refused *pgconn.PgError
		switch {
		case errors.As(err, &refused) && (refused.Code == undefinedTable || refused.Code == insufficientPrivilege):
			return fmt.Errorf("%w: set %s has no version", ErrNotMigrated, s.Name)
		case err != nil:
			return fmt.Errorf("read the version of set %s: %w", s.Name, err)
		case missing != nil:
			return fmt.Errorf("%w: set %s lacks version %d", ErrNotMigrated, s.Name, *missing)
		}
	}
	return nil
}

// table returns the set's version table, quoted.
func (s Set) table() string { return pgx.Identifier{"goose_" + s.Name}.Sanitize() }

// versions returns the versions of the set's migrations.
func (s Set) versions() ([]int64, error) {
	files, err := fs.Glob(s.FS, "*.sql")
	if err != nil {
		return nil, fmt.Errorf("set %s: %w", s.Name, err)
	}
	all := make([]int64, len(files))
	for i, name := range files {
		if all[i], err = goose.NumericComponent(name); err != nil {
			return nil, fmt.Errorf("set %s: %w", s.Name, err)
		}
	}
	return all, nil
}

// showVersion lets every role of the database read the set's version table and lets none change it: services compare it
// with the migrations that they know. Default privileges that a migration sets can give a service more.
func showVersion(ctx context.Context, db *sql.DB, s Set) error {
	rows, err := db.QueryContext(ctx, `
		SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END, a.privilege_type
		FROM pg_class c, aclexplode(c.relacl) a
		WHERE c.oid = $1::regclass AND a.grantee <> c.relowner`, s.table())
	if err != nil {
		return fmt.Errorf("set %s: rights on its versions: %w", s.Name, err)
	}
	defer func() { _ = rows.Close() }() // rows.Err returns the error
	statements, readable := "", false
	for rows.Next() {
		var grantee, right string // regrole quotes the name where SQL needs it
		if err := rows.Scan(&grantee, &right); err != nil {
			return fmt.Errorf("set %s: rights on its versions: %w", s.Name, err)
		}
		if grantee == "PUBLIC" && right == "SELECT" {
			readable = true
			continue
		}
		statements += "REVOKE " + right + " ON " + s.table() + " FROM " + grantee + ";"
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("set %s: rights on its versions: %w", s.Name, err)
	}
	if !readable {
		statements += "GRANT SELECT ON " + s.table() + " TO PUBLIC"
	}
	if statements == "" {
		return nil
	}
	if _, err := db.ExecContext(ctx, statements); err != nil {
		return fmt.Errorf("set %s: set the rights on its versions: %w", s.Name, err)
	}
	return nil
}
