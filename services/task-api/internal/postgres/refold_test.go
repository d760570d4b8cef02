package postgres_test

import (
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/taskwire/taskwire/pkg/platform/outbox"
	pg "github.com/taskwire/taskwire/pkg/platform/postgres"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/postgres"
	"github.com/taskwire/taskwire/services/task-api/internal/tasktest"
	"github.com/taskwire/taskwire/testkit/pgtest"
)

// insertOld inserts a task as an earlier version of the service does: without the column folded.
func (f *fixture) insertOld(user string, seq int, title, tags string) {
	f.T.Helper()
	f.Exec(`INSERT INTO tasks (id, user_id, title, description, status, priority, tags, timezone, position, version, seq, created_at, updated_at)
		VALUES (gen_random_uuid(), ?, ?, '', 'pending', 2, ?, 'UTC', ?, 1, ?, now(), now())`, user, title, tags, seq, seq)
	f.Exec(`UPDATE heads SET seq = ? WHERE user_id = ?`, seq, user)
}

func (f *fixture) found(user string, q domain.Query) string {
	f.T.Helper()
	got := f.titles(user, q)
	slices.Sort(got)
	return strings.Join(got, "|")
}

// Rows of the schema before the migration, and rows that an earlier version writes after it, get the terms of the service.
func TestRowsOfAnEarlierVersionAreRefolded(t *testing.T) {
	t.Parallel()
	old := fstest.MapFS{}
	for _, name := range []string{"00001_tasks.sql", "00002_accounts.sql", "00003_search.sql", "00004_snapshot_base.sql", "00005_search_given.sql"} {
		data, err := fs.ReadFile(postgres.Migrations(), name)
		if err != nil {
			t.Fatal(err)
		}
		old[name] = &fstest.MapFile{Data: data}
	}
	db := pgtest.New(t, "tasks", pg.Set{Name: "tasks", FS: old}, pg.Set{Name: "outbox", FS: outbox.Migrations})
	f := &fixture{tasktest.Over(t, db)}
	user := f.OldUser()
	f.insertOld(user, 1, "Straße fegen", `["Straße"]`)
	f.insertOld(user, 2, "plain text", `["Work"]`)
	if err := pg.Migrate(ctx(), db.OwnerURL, slog.New(slog.DiscardHandler), pg.Set{Name: "tasks", FS: postgres.Migrations()}); err != nil {
		t.Fatal(err)
	}
	if got := f.found(user, domain.Query{Tags: []string{"Work"}}); got != "plain text" {
		t.Errorf("tag before it is refolded: got %q, want the task", got)
	}
	f.insertOld(user, 3, "Ægir", `[]`)
	if got := f.found(user, search("plain")); got != "plain text" {
		t.Errorf("search before it is refolded: got %q, want the task", got)
	}
	check := func(q domain.Query, want string) {
		t.Helper()
		if err := f.Refold(ctx()); err != nil {
			t.Fatal(err)
		}
		if got := f.found(user, q); got != want {
			t.Errorf("%+v after it is refolded: got %q, want %q", q, got, want)
		}
	}
	check(search("strasse"), "Straße fegen")
	check(search("aegir"), "Ægir")
	check(domain.Query{Tags: []string{"STRASSE"}}, "Straße fegen")
	check(domain.Query{Tags: []string{"work"}}, "plain text")
	f.Exec(`UPDATE tasks SET title = 'Łódź', version = version + 1 WHERE title = 'Ægir'`) // an earlier version changes a task
	check(search("lodz"), "Łódź")
	check(search("aegir"), "")
	var stale, versions int64
	f.DB.Raw(`SELECT count(*) FILTER (WHERE folded IS DISTINCT FROM version), sum(version) FROM tasks`).Row().Scan(&stale, &versions)
	if stale != 0 || versions != 4 {
		t.Errorf("got %d rows to refold and versions that sum to %d, want 0 and 4: refolding changes no version", stale, versions)
	}
	task := f.Make(user, `{"title":"new"}`)
	f.Patch(user, task.ID, `{"title":"ŒUVRE"}`)
	if got := f.found(user, search("oeuvre")); got != "ŒUVRE" {
		t.Errorf("a task of this version: got %q, want it without refolding", got)
	}
}

func TestRefoldingWaitsForNoWriter(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	f.insertOld(user, 1, "Straße", `[]`)
	f.insertOld(user, 2, "Ægir", `[]`)
	tx := f.DB.Begin()
	defer tx.Rollback()
	if err := tx.Exec(`UPDATE tasks SET title = 'Þór', version = 2 WHERE title = 'Ægir'`).Error; err != nil {
		t.Fatal(err)
	}
	if err := f.Refold(ctx()); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit().Error; err != nil {
		t.Fatal(err)
	}
	if got := f.found(user, search("strasse")); got != "Straße" {
		t.Errorf("the row that nobody locked: got %q, want it refolded", got)
	}
	if err := f.Refold(ctx()); err != nil {
		t.Fatal(err)
	}
	if got := f.found(user, search("thor")); got != "Þór" {
		t.Errorf("the row of the writer: got %q, want it refolded after the commit", got)
	}
}
