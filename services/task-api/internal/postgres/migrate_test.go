package postgres_test

import (
	"io/fs"
	"log/slog"
	"testing"
	"testing/fstest"

	"github.com/taskwire/taskwire/pkg/platform/outbox"
	pg "github.com/taskwire/taskwire/pkg/platform/postgres"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/postgres"
	"github.com/taskwire/taskwire/services/task-api/internal/tasktest"
	"github.com/taskwire/taskwire/testkit/pgtest"
)

// The migration must also work after an earlier attempt that failed half way. Tasks that the previous version of the service
// inserts after the migration must get search terms too.
func TestTheSearchMigrationIndexesExistingTasks(t *testing.T) {
	t.Parallel()
	first := fstest.MapFS{}
	for _, name := range []string{"00001_tasks.sql"} { // the schema of the previous version
		data, err := fs.ReadFile(postgres.Migrations(), name)
		if err != nil {
			t.Fatal(err)
		}
		first[name] = &fstest.MapFile{Data: data}
	}
	db := pgtest.New(t, "tasks", pg.Set{Name: "tasks", FS: first}, pg.Set{Name: "outbox", FS: outbox.Migrations})
	log := slog.New(slog.DiscardHandler)
	f := &fixture{tasktest.Over(t, db)}
	user := f.OldUser()
	const old = `INSERT INTO tasks (id, user_id, title, description, status, priority, tags, timezone, position, version, seq, created_at, updated_at)
		SELECT gen_random_uuid(), ?, 'old ' || i, '', 'pending', 2, '[]', 'UTC', i, 1, i, now(), now() FROM generate_series(CAST(? AS integer), CAST(? AS integer)) AS i`
	f.Exec(old, user, 1, 5000)
	f.Slow(`SET ROLE tasks_owner; ALTER TABLE tasks ADD COLUMN search tsvector`) // the failed attempt has added the column
	if err := pg.Migrate(ctx(), db.OwnerURL, log, pg.Set{Name: "tasks", FS: postgres.Migrations()}); err != nil {
		t.Fatal(err)
	}
	f.Exec(old, user, 5001, 5002)
	var missing, invalid int
	f.DB.Raw(`SELECT count(*) FROM tasks WHERE search IS NULL`).Scan(&missing)
	f.DB.Raw(`SELECT count(*) FROM pg_index WHERE indrelid = 'tasks'::regclass AND NOT indisvalid`).Scan(&invalid)
	if missing != 0 || invalid != 0 {
		t.Errorf("got %d tasks without search terms and %d invalid indexes, want none", missing, invalid)
	}
	for _, q := range []string{"old 4321", "old 5002"} {
		list, _, err := f.List(ctx(), user, domain.Query{Search: q, Sort: domain.SortRelevance, Limit: 5})
		if err != nil || len(list) != 1 {
			t.Errorf("q=%s: got %d tasks, %v, want 1", q, len(list), err)
		}
	}
}

func TestTheCountOfTasksBeginsWithWhatIsThere(t *testing.T) {
	t.Parallel()
	before := fstest.MapFS{}
	names, err := fs.Glob(postgres.Migrations(), "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if name >= "00018" {
			continue
		}
		data, err := fs.ReadFile(postgres.Migrations(), name)
		if err != nil {
			t.Fatal(err)
		}
		before[name] = &fstest.MapFile{Data: data}
	}
	db := pgtest.New(t, "tasks", pg.Set{Name: "tasks", FS: before}, pg.Set{Name: "outbox", FS: outbox.Migrations})
	f := &fixture{tasktest.Over(t, db)}
	user, empty := f.User(), f.User()
	f.Exec(`INSERT INTO tasks (id, user_id, title, description, status, priority, tags, timezone, position, version, seq, created_at, updated_at, deleted_at)
		SELECT gen_random_uuid(), ?, 't', '', 'pending', 2, '[]', 'UTC', i, 1, i, now(), now(), CASE WHEN i > 7 THEN now() END FROM generate_series(1, 10) AS i`, user)
	if err := pg.Migrate(ctx(), db.OwnerURL, slog.New(slog.DiscardHandler), pg.Set{Name: "tasks", FS: postgres.Migrations()}); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]int64{user: 7, empty: 0} {
		var got int64
		f.DB.Raw(`SELECT live FROM heads WHERE user_id = ?`, id).Scan(&got)
		if got != want {
			t.Errorf("got a count of %d, want %d", got, want)
		}
	}
}
