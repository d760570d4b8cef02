package postgres_test

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"

	localpg "github.com/taskwire/taskwire/local/postgres"
	"github.com/taskwire/taskwire/pkg/platform/postgres"
	"github.com/taskwire/taskwire/testkit/logtest"
	"github.com/taskwire/taskwire/testkit/pgtest"
)

func files(pairs ...string) fs.FS {
	out := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i]] = &fstest.MapFile{Data: []byte("-- +goose Up\n" + pairs[i+1])}
	}
	return out
}

var quiet = slog.New(slog.DiscardHandler)

func scan[T any](t *testing.T, url, sql string) (got T) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	if err := conn.QueryRow(t.Context(), sql).Scan(&got); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return got
}

func TestMigrateAppliesOnlyWhatIsMissing(t *testing.T) {
	t.Parallel()
	pg := pgtest.New(t, "tasks")
	one := files("00001_a.sql", "CREATE TABLE a (x int);")
	two := files("00001_b.sql", "CREATE TABLE b (x int);")
	more := files("00001_a.sql", "CREATE TABLE a (x int);", "00002_a2.sql", "ALTER TABLE a ADD y int;")
	for _, sets := range [][]postgres.Set{
		{{Name: "one", FS: one}, {Name: "two", FS: two}},
		{{Name: "one", FS: one}, {Name: "two", FS: two}}, // again: nothing to do
		{{Name: "one", FS: more}, {Name: "two", FS: two}},
	} {
		if err := postgres.Migrate(t.Context(), pg.OwnerURL, quiet, sets...); err != nil {
			t.Fatalf("Migrate: %v", err)
		}
	}
	for sql, want := range map[string]int64{
		"SELECT max(version_id) FROM goose_one": 2, "SELECT max(version_id) FROM goose_two": 1,
		"SELECT count(*) FROM information_schema.columns WHERE table_name = 'a'": 2,
	} {
		if got := scan[int64](t, pg.OwnerURL, sql); got != want {
			t.Errorf("%s = %d, want %d", sql, got, want)
		}
	}
}

func TestAnOlderProgramLeavesANewerDatabaseAlone(t *testing.T) {
	t.Parallel()
	pg := pgtest.New(t, "tasks")
	old := files("00001_a.sql", "CREATE TABLE a (x int);")
	both := files("00001_a.sql", "CREATE TABLE a (x int);", "00002_a2.sql", "ALTER TABLE a ADD y int;")
	for _, f := range []fs.FS{both, old} {
		if err := postgres.Migrate(t.Context(), pg.OwnerURL, quiet, postgres.Set{Name: "one", FS: f}); err != nil {
			t.Errorf("Migrate: %v", err)
		}
	}
}

func TestReplicasThatStartTogetherMigrateOnce(t *testing.T) {
	t.Parallel()
	pg := pgtest.New(t, "tasks")
	set := postgres.Set{Name: "one", FS: files(
		"00001_a.sql", "CREATE TABLE a (x int); SELECT pg_sleep(0.3);", "00002_row.sql", "INSERT INTO a VALUES (1);")}
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			if err := postgres.Migrate(t.Context(), pg.OwnerURL, quiet, set); err != nil {
				t.Errorf("Migrate: %v", err)
			}
		})
	}
	wg.Wait()
	if got := scan[int64](t, pg.OwnerURL, "SELECT count(*) FROM a"); got != 1 {
		t.Errorf("rows = %d, want 1: the migration must run once", got)
	}
}

func TestABadMigrationIsNamedAndRolledBack(t *testing.T) {
	t.Parallel()
	pg := pgtest.New(t, "tasks")
	err := postgres.Migrate(t.Context(), pg.OwnerURL, quiet,
		postgres.Set{Name: "one", FS: files("00001_good.sql", "CREATE TABLE good (x int);", "00002_bad.sql", "CREATE TABLE half (x int); CREATE TABEL oops (x int);")})
	if err == nil || !strings.Contains(err.Error(), "set one") || !strings.Contains(err.Error(), "00002_bad.sql") || !strings.Contains(err.Error(), "TABEL") {
		t.Errorf("Migrate = %v, want an error that names set, file and fault", err)
	}
	if got := scan[string](t, pg.OwnerURL, "SELECT string_agg(relname, ' ') FROM pg_class WHERE relname IN ('good', 'half')"); got != "good" {
		t.Errorf("tables = %q, want good: the bad file must leave nothing", got)
	}
}

func TestAPermanentFailureIsReturnedAtOnce(t *testing.T) {
	t.Parallel()
	pg := pgtest.New(t, "tasks")
	good := postgres.Set{Name: "one", FS: files("00001_a.sql", "SELECT 1;")}
	for name, tc := range map[string]struct {
		url  string
		set  postgres.Set
		says string
	}{
		"no files":       {pg.OwnerURL, postgres.Set{Name: "one", FS: files()}, "set one"},
		"nil files":      {pg.OwnerURL, postgres.Set{Name: "one"}, "set one has no files"},
		"bad name":       {pg.OwnerURL, postgres.Set{Name: "Bad-Name", FS: good.FS}, "Bad-Name"},
		"not annotated":  {pg.OwnerURL, postgres.Set{Name: "one", FS: fstest.MapFS{"00001_a.sql": {Data: []byte("SELECT 1;")}}}, "00001_a.sql"},
		"same version":   {pg.OwnerURL, postgres.Set{Name: "one", FS: files("00001_a.sql", "SELECT 1;", "00001_b.sql", "SELECT 1;")}, "00001_b.sql"},
		"bad URL":        {"postgres://u:secret@host:notaport/d", good, "migrate"},
		"wrong password": {strings.Replace(pg.OwnerURL, "tasks_owner:", "tasks_owner:x", 1), good, "28P01"},
		"no database":    {strings.Replace(pg.OwnerURL, pg.Name, "no_such_database", 1), good, "3D000"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			err := postgres.Migrate(ctx, tc.url, quiet, tc.set)
			if err == nil || !strings.Contains(err.Error(), tc.says) || strings.Contains(err.Error(), "secret") || ctx.Err() != nil {
				t.Errorf("Migrate = %v, want at once an error that contains %q and no password", err, tc.says)
			}
		})
	}
}

func TestMigrateWaitsForTheServerAndLogsIt(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	dir := t.TempDir()
	s, err := localpg.Start(ctx, localpg.Config{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	address := s.URL()
	cfg, err := pgx.ParseConfig(address)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	var log logtest.Buffer
	done := make(chan error, 1)
	go func() {
		done <- postgres.Migrate(ctx, address, slog.New(slog.NewTextHandler(&log, nil)),
			postgres.Set{Name: "one", FS: files("00001_a.sql", "CREATE TABLE a (x int);")})
	}()
	for deadline := time.Now().Add(patience); !strings.Contains(log.String(), "waiting to migrate"); time.Sleep(poll) {
		if time.Now().After(deadline) {
			t.Fatalf("the log does not say that it waits: %q", log.String())
		}
	}
	if s, err = localpg.Start(ctx, localpg.Config{DataDir: dir, Port: int(cfg.Port)}); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Stop(context.WithoutCancel(ctx)) }()
	if err := <-done; err != nil {
		t.Errorf("Migrate: %v", err)
	}
	if !strings.Contains(log.String(), "file=00001_a.sql") || strings.Contains(log.String(), cfg.Password) {
		t.Errorf("log %q: want the file that was applied, and no password", log.String())
	}
}

func TestMigrateGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := postgres.Migrate(ctx, nowhere, quiet, postgres.Set{Name: "one", FS: files("00001_a.sql", "SELECT 1;")})
	if err == nil || !strings.Contains(err.Error(), "gave up") || errors.Is(err, context.Canceled) {
		t.Errorf("Migrate without a server = %v, want an error that it gave up", err)
	}
}

// TestAMigrationRetriesWhenItsTableIsLocked: while it waits behind a long transaction, other statements must not wait
// behind it.
func TestAMigrationRetriesWhenItsTableIsLocked(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for a lock timeout")
	}
	pg := pgtest.New(t, "tasks")
	set := func(n int) postgres.Set {
		f := []string{"00001_a.sql", "CREATE TABLE a (x int);"}
		if n == 2 {
			f = append(f, "00002_a2.sql", "ALTER TABLE a ADD y int;")
		}
		return postgres.Set{Name: "one", FS: files(f...)}
	}
	if err := postgres.Migrate(t.Context(), pg.OwnerURL, quiet, set(1)); err != nil {
		t.Fatal(err)
	}
	holder, err := pgx.Connect(t.Context(), pg.OwnerURL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = holder.Close(context.WithoutCancel(t.Context())) }()
	if _, err := holder.Exec(t.Context(), "BEGIN; SELECT * FROM a"); err != nil {
		t.Fatal(err)
	}
	var log logtest.Buffer
	done := make(chan error, 1)
	go func() {
		done <- postgres.Migrate(t.Context(), pg.OwnerURL, slog.New(slog.NewTextHandler(&log, nil)), set(2))
	}()
	for deadline := time.Now().Add(patience); !strings.Contains(log.String(), "waiting to migrate"); time.Sleep(poll) {
		if time.Now().After(deadline) {
			t.Fatalf("it does not give up the lock: %q", log.String())
		}
	}
	if _, err := holder.Exec(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("Migrate: %v", err)
	}
}
