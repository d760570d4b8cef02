package postgres_test

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"gorm.io/gorm"

	"github.com/taskwire/taskwire/pkg/platform/outbox"
	"github.com/taskwire/taskwire/services/notification/internal/domain"
	"github.com/taskwire/taskwire/services/notification/internal/postgres"
	"github.com/taskwire/taskwire/testkit/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const (
	ada = "0190a000-0000-7000-8000-0000000000aa"
	bob = "0190a000-0000-7000-8000-0000000000bb"
)

var noon = time.Date(2030, time.March, 1, 12, 0, 0, 0, time.UTC)

// world is a database with a clock.
type world struct {
	t     *testing.T
	db    *pgtest.DB
	store *postgres.Store
	now   time.Time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	db := pgtest.New(t, "notifications", postgres.Migrations()...)
	return &world{t: t, db: db, store: newStore(db.Gorm), now: noon}
}

func newStore(db *gorm.DB) *postgres.Store {
	return postgres.New(db, outbox.New(db, slog.New(slog.DiscardHandler)))
}

// engine returns the engine of another replica.
func (w *world) engine() *domain.Engine {
	return domain.NewEngine(newStore(w.db.Gorm), func() time.Time { return w.now }, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
}

// look runs one round of an engine at w.now and returns the number of new notifications.
func (w *world) look() int {
	w.t.Helper()
	n, err := w.engine().RunOnce(w.t.Context())
	if err != nil {
		w.t.Fatalf("RunOnce at %s: %v", w.now.Format(time.TimeOnly), err)
	}
	return n
}

func (w *world) deliver(want int) {
	w.t.Helper()
	if got := w.look(); got != want {
		w.t.Errorf("RunOnce at %s: %d notifications, want %d", w.now.Format(time.TimeOnly), got, want)
	}
}

func taskID(n int) string { return fmt.Sprintf("0190a000-0000-7000-8000-%012d", n) }

// reminder returns the reminder of a version of a task, some minutes after noon.
func reminder(task int, version int64, minutes int) domain.Reminder {
	at := noon.Add(time.Duration(minutes) * time.Minute)
	return domain.Reminder{
		TaskID: taskID(task), UserID: ada, Title: fmt.Sprintf("task %d version %d", task, version), DueAt: at.Add(time.Hour), RemindAt: at,
		TaskVersion: version, EventAt: noon.Add(time.Duration(version) * time.Second),
	}
}

func cancelled(task int, version int64) domain.Reminder {
	r := reminder(task, version, 0)
	r.Cancelled, r.DueAt, r.RemindAt = true, time.Time{}, time.Time{}
	return r
}

// legacy returns r in the original form: without a version, sent some seconds after noon.
func legacy(r domain.Reminder, seconds int) domain.Reminder {
	r.TaskVersion, r.EventAt = 0, noon.Add(time.Duration(seconds)*time.Second)
	return r
}

func (w *world) apply(r domain.Reminder, want domain.Outcome) {
	w.t.Helper()
	var got domain.Outcome
	err := w.db.Gorm.WithContext(w.t.Context()).Transaction(func(tx *gorm.DB) (err error) {
		got, err = w.store.Apply(w.t.Context(), tx, r)
		return err
	})
	if err != nil {
		w.t.Fatalf("Apply(%s): %v", r.Title, err)
	}
	if got != want {
		w.t.Errorf("Apply(%s): %s, want %s", r.Title, got, want)
	}
}

// list returns the user's notifications, newest first.
func (w *world) list(user string) []domain.Notification {
	w.t.Helper()
	return w.inbox(user).Items
}

func (w *world) inbox(user string) domain.Listing {
	w.t.Helper()
	list, err := w.store.List(w.t.Context(), domain.Filter{UserID: user}, domain.MaxLimit)
	if err != nil {
		w.t.Fatalf("List: %v", err)
	}
	return list
}

func (w *world) count(table string) int {
	w.t.Helper()
	var n int
	if err := w.db.Gorm.WithContext(w.t.Context()).Raw("SELECT count(*) FROM " + table).Scan(&n).Error; err != nil {
		w.t.Fatalf("count %s: %v", table, err)
	}
	return n
}

// wantCounts checks the number of events, deliveries and notifications, which must be equal.
func (w *world) wantCounts(want int) {
	w.t.Helper()
	for _, table := range []string{"notifications", "deliveries", "outbox"} {
		if got := w.count(table); got != want {
			w.t.Errorf("%s: %d rows, want %d", table, got, want)
		}
	}
}
