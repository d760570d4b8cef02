package postgres_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/taskwire/taskwire/pkg/platform/postgres"
	"github.com/taskwire/taskwire/testkit/pgtest"
)

func TestAServiceSeesWithItsOwnRoleWhetherItIsMigrated(t *testing.T) {
	t.Parallel()
	pg := pgtest.New(t, "tasks")
	one := files("00001_a.sql", "CREATE TABLE a (x int);")
	two := files("00001_a.sql", "CREATE TABLE a (x int);", "00002_a2.sql", "ALTER TABLE a ADD y int;")
	other := postgres.Set{Name: "other", FS: files("00001_b.sql", "CREATE TABLE b (x int);")}
	check := func(when string, migrated bool, sets ...postgres.Set) {
		t.Helper()
		err := postgres.Migrated(t.Context(), pg.Gorm, sets...)
		if migrated && err != nil || !migrated && !errors.Is(err, postgres.ErrNotMigrated) {
			t.Errorf("%s: Migrated = %v, want migrated %v", when, err, migrated)
		}
	}
	migrate := func(sets ...postgres.Set) {
		t.Helper()
		if err := postgres.Migrate(t.Context(), pg.OwnerURL, quiet, sets...); err != nil {
			t.Fatal(err)
		}
	}
	first, second := postgres.Set{Name: "one", FS: one}, postgres.Set{Name: "one", FS: two}
	check("an empty database", false, first)
	migrate(first)
	check("its version", true, first)
	check("an earlier version", false, second)
	check("a set that is missing", false, first, other)
	migrate(second, other)
	check("a later version, as after going back", true, first)
	check("all sets", true, second, other)
	// A database that an earlier version of Taskwire migrated shows its version to its owner only.
	if got := exec(t, pg.OwnerURL, `REVOKE ALL ON goose_one FROM PUBLIC`); got != nil {
		t.Fatal(got)
	}
	check("a hidden version", false, second)
	migrate(second)
	check("after migrate", true, second)
}

// A migration may be merged after one with a higher number.
func TestAMigrationBelowTheNewestIsApplied(t *testing.T) {
	t.Parallel()
	pg := pgtest.New(t, "tasks")
	first, third := "CREATE TABLE a (x int);", "ALTER TABLE a ADD z int;"
	before := postgres.Set{Name: "one", FS: files("00001_a.sql", first, "00003_z.sql", third)}
	after := postgres.Set{Name: "one", FS: files("00001_a.sql", first, "00002_y.sql", "ALTER TABLE a ADD y int;", "00003_z.sql", third)}
	if err := postgres.Migrate(t.Context(), pg.OwnerURL, quiet, before); err != nil {
		t.Fatal(err)
	}
	if err := postgres.Migrated(t.Context(), pg.Gorm, after); !errors.Is(err, postgres.ErrNotMigrated) {
		t.Errorf("with a migration missing: Migrated = %v, want ErrNotMigrated", err)
	}
	if err := postgres.Migrate(t.Context(), pg.OwnerURL, quiet, after); err != nil {
		t.Fatalf("Migrate: %v", err)
	}
	if err := postgres.Migrated(t.Context(), pg.Gorm, after); err != nil {
		t.Errorf("afterwards: Migrated = %v", err)
	}
	if err := exec(t, pg.OwnerURL, "SELECT y, z FROM a"); err != nil {
		t.Error(err)
	}
}

func TestOnlyTheOwnerCanChangeTheVersion(t *testing.T) {
	t.Parallel()
	pg := pgtest.New(t, "tasks")
	set := postgres.Set{Name: "one", FS: files("00001_a.sql", "ALTER DEFAULT PRIVILEGES GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO tasks_app;")}
	later := postgres.Set{Name: "two", FS: files("00001_b.sql", "CREATE TABLE b (x int);")} // its version table gets these rights
	if err := postgres.Migrate(t.Context(), pg.OwnerURL, quiet, set, later); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"goose_one", "goose_two"} {
		for _, sql := range []string{"UPDATE " + table + " SET version_id = 9", "DELETE FROM " + table, "INSERT INTO " + table + " (version_id, is_applied) VALUES (9, true)"} {
			var refused *pgconn.PgError
			if err := exec(t, pg.AppURL, sql); !errors.As(err, &refused) || refused.Code != "42501" {
				t.Errorf("%s as the service's role: got %v, want 42501", sql, err)
			}
		}
	}
}

func exec(t *testing.T, url, sql string) error {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	_, err = conn.Exec(t.Context(), sql)
	return err
}
