package postgres_test

import (
	"io/fs"
	"log/slog"
	"testing"
	"testing/fstest"

	"github.com/google/uuid"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/outbox"
	pg "github.com/taskwire/taskwire/pkg/platform/postgres"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/postgres"
	"github.com/taskwire/taskwire/services/task-api/internal/tasktest"
	"github.com/taskwire/taskwire/testkit/pgtest"
)

// before returns the migrations before one, which are those of the previous version of the service.
func before(t *testing.T, last string) fs.FS {
	t.Helper()
	names, err := fs.Glob(postgres.Migrations(), "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	out := fstest.MapFS{}
	for _, name := range names {
		if name >= last {
			continue
		}
		data, err := fs.ReadFile(postgres.Migrations(), name)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = &fstest.MapFile{Data: data}
	}
	return out
}

// Rules that the previous version stored, before the migration and during an upgrade after it, must go on to work.
func TestStoredRulesKeepWorkingAfterTheMigration(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t, "tasks", pg.Set{Name: "tasks", FS: before(t, "00006")}, pg.Set{Name: "outbox", FS: outbox.Migrations})
	f := &fixture{tasktest.Over(t, db)}
	user := f.OldUser()
	seq := 0
	insert := func(zone, ruleZone, rule string) string {
		seq++
		id := uuid.NewString()
		f.Exec(`INSERT INTO tasks (id, user_id, title, description, status, priority, tags, due_date, due_instant, timezone, rrule, rrule_anchor, rrule_zone,
				series_id, occurrence_no, position, version, seq, created_at, updated_at)
			VALUES (?, ?, 'old', '', 'pending', 2, '[]', '2030-03-04', '2030-03-04T22:59:59Z', ?, ?, 'schedule', ?, gen_random_uuid(), 3, 1, 1, ?, now(), now())`,
			id, user, zone, rule, ruleZone, seq)
		f.Exec(`UPDATE heads SET seq = ? WHERE user_id = ?`, seq, user)
		return id
	}
	const berlin, tokyo = "Europe/Berlin", "Asia/Tokyo"
	follows, given := insert(berlin, berlin, "FREQ=DAILY"), insert(berlin, tokyo, "FREQ=DAILY;COUNT=4")
	refusedToday := insert(berlin, berlin, "FREQ=DAILY;INTERVAL=7;BYDAY=TU") // 4 March 2030 is a Monday
	if err := pg.Migrate(ctx(), db.OwnerURL, slog.New(slog.DiscardHandler), pg.Set{Name: "tasks", FS: postgres.Migrations()}); err != nil {
		t.Fatal(err)
	}
	late := insert(berlin, berlin, "FREQ=DAILY") // by a replica of the previous version
	for id, want := range map[string]string{follows: "Europe/London", given: tokyo, late: "Europe/London"} {
		task := f.Patch(user, id, `{"timezone":"Europe/London"}`)
		if r := task.Recurrence; r.Timezone != want || r.CatchUp != events.CatchUpNext || r.ExDates != nil {
			t.Errorf("moved to London: got %+v, want the zone %s", r, want)
		}
		f.Apply(user, id, domain.Complete)
		next := f.Follow(user, id)
		if next.DueDate != "2030-03-05" || next.OccurrenceNo != 4 || next.SeriesEnds != (id == given) {
			t.Errorf("successor: got %s number %d, end %v", next.DueDate, next.OccurrenceNo, next.SeriesEnds)
		}
	}
	if task := f.Patch(user, refusedToday, `{"title":"new"}`); task.Title != "new" {
		t.Errorf("a rule that is refused today: got %q, want the task to change", task.Title)
	}
}
