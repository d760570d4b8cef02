package postgres_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/services/notification/internal/domain"
)

func TestTwoEnginesDeliverAThousandRemindersOnceEach(t *testing.T) {
	t.Parallel()
	const due = 1_000
	w := newWorld(t)
	for task := range due {
		w.apply(reminder(task, 1, 0), domain.Scheduled)
	}
	w.now = noon.Add(time.Second)
	counts := make([]int, 2)
	group, ctx := errgroup.WithContext(t.Context())
	for i := range counts {
		e := w.engine()
		group.Go(func() error { // until none waits, because an engine skips rows that the other has claimed
			for {
				n, err := e.RunOnce(ctx)
				if err != nil {
					return err
				}
				counts[i] += n
				if _, waiting, err := w.store.NextDue(ctx); err != nil || !waiting {
					return err
				}
			}
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	if counts[0]+counts[1] != due {
		t.Errorf("the engines report %v, want %d together", counts, due)
	}
	w.wantCounts(due)
	if waiting := w.count("reminders WHERE state <> 'sent'"); waiting != 0 {
		t.Errorf("%d reminders are not marked as sent", waiting)
	}
	if n := w.count("(SELECT DISTINCT task_id FROM notifications) d"); n != due {
		t.Errorf("tasks with a notification: got %d, want %d", n, due)
	}
	if changes := w.wantConsistent(ada); len(changes) != due {
		t.Errorf("the inbox has %d changes, want %d", len(changes), due)
	}
}

// The transaction fails at each of its writes and at its commit.
// The next round delivers everything once.
func TestACrashAtAnyStepOfADeliveryLeavesNothing(t *testing.T) {
	t.Parallel()
	for _, step := range []struct{ name, table, event string }{
		{"before the notification", "notifications", "BEFORE INSERT"},
		{"after the notification", "notifications", "AFTER INSERT"},
		{"before the delivery", "deliveries", "BEFORE INSERT"},
		{"after the delivery", "deliveries", "AFTER INSERT"},
		{"before it is marked as sent", "reminders", "BEFORE UPDATE"},
		{"after it is marked as sent", "reminders", "AFTER UPDATE"},
		{"before its first number", "heads", "BEFORE INSERT"},
		{"after its number", "heads", "AFTER UPDATE"},
		{"before its change", "changes", "BEFORE INSERT"},
		{"after its change", "changes", "AFTER INSERT"},
		{"before its event", "outbox", "BEFORE INSERT"},
		{"after its event", "outbox", "AFTER INSERT"},
		{"at the commit", "outbox", "CONSTRAINT"},
	} {
		t.Run(step.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			for task := range 3 {
				w.apply(reminder(task, 1, 0), domain.Scheduled)
			}
			disarm := w.dieAt(step.table, step.event)
			if n, err := w.engine().RunOnce(t.Context()); err == nil {
				t.Fatalf("RunOnce: %d and no error, want the error of the ended session", n)
			}
			w.wantCounts(0)
			if waiting := w.count("reminders WHERE state = 'scheduled'"); waiting != 3 {
				t.Errorf("waiting reminders after the crash: got %d, want 3", waiting)
			}
			w.wantRows(map[string]int{"heads": 0, "changes": 0})
			disarm()
			w.deliver(3)
			w.deliver(0)
			w.wantCounts(3)
			w.wantConsistent(ada)
		})
	}
}

// dieAt makes the server end a session that writes to the table, as if the service's process died at that point.
func (w *world) dieAt(table, event string) (disarm func()) {
	w.t.Helper()
	kind, when := "TRIGGER", event
	if event == "CONSTRAINT" {
		kind, when = "CONSTRAINT TRIGGER", "AFTER INSERT"
	}
	deferred := ""
	if event == "CONSTRAINT" {
		deferred = "DEFERRABLE INITIALLY DEFERRED"
	}
	w.asOwner(`CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$`,
		fmt.Sprintf(`CREATE %s die %s ON %s %s FOR EACH ROW EXECUTE FUNCTION die()`, kind, when, table, deferred))
	return func() { w.asOwner(fmt.Sprintf(`DROP TRIGGER die ON %s`, table)) }
}

func (w *world) asOwner(statements ...string) {
	w.t.Helper()
	conn, err := pgx.Connect(w.t.Context(), w.db.OwnerURL)
	if err != nil {
		w.t.Fatalf("connect as the owner: %v", err)
	}
	defer conn.Close(context.WithoutCancel(w.t.Context()))
	if _, err := conn.Exec(w.t.Context(), strings.Join(statements, ";")); err != nil {
		w.t.Fatalf("%s: %v", statements[0], err)
	}
}

// The transaction that applies an event fails at its write.
func TestACrashWhileAnEventIsAppliedLeavesNothing(t *testing.T) {
	t.Parallel()
	for _, event := range []string{"BEFORE INSERT", "AFTER INSERT"} {
		w := newWorld(t)
		take := func() error {
			return inboxOf(w).Once(t.Context(), "0190b000-0000-7000-8000-000000000001", w.applyIn(reminder(1, 1, 0)))
		}
		disarm := w.dieAt("reminders", event)
		if err := take(); err == nil {
			t.Fatalf("%s: no error, want the error of the ended session", event)
		}
		if w.count("inbox")+w.count("reminders") != 0 {
			t.Errorf("%s: left %d ids and %d reminders", event, w.count("inbox"), w.count("reminders"))
		}
		disarm()
		for range 3 {
			if err := take(); err != nil {
				t.Fatalf("%s: redelivery: %v", event, err)
			}
		}
		w.deliver(1)
		w.wantCounts(1)
	}
}

// Schedules a delivered reminder again, which no code does: its id alone prevents a second notification.
func TestAnExistingNotificationIsNotMadeAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.apply(reminder(1, 1, 0), domain.Scheduled)
	w.deliver(1)
	if err := w.db.Gorm.Exec(`UPDATE reminders SET state = 'scheduled', sent_for = NULL`).Error; err != nil {
		t.Fatal(err)
	}
	w.deliver(0)
	w.wantCounts(1)
	w.wantConsistent(ada)
	if waiting := w.count("reminders WHERE state = 'scheduled'"); waiting != 0 {
		t.Error("the reminder still waits, so the engine would claim it forever")
	}
}

func TestEachUsersPreferencesDecide(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	quiet, err := domain.NewQuietHours("11:00", "13:00", "UTC")
	if err != nil {
		t.Fatal(err)
	}
	muted := reminder(2, 1, 0)
	muted.UserID = bob
	w.save(ada, domain.Preferences{InApp: true, Quiet: quiet})
	w.save(bob, domain.Preferences{})
	w.apply(reminder(1, 1, 0), domain.Scheduled)
	w.apply(muted, domain.Scheduled)
	w.deliver(1)
	if got := w.list(bob); len(got) != 1 {
		t.Errorf("a muted user's list has %d, want 1", len(got))
	}
	if n := w.count("deliveries"); n != 0 {
		t.Errorf("%d deliveries for a muted user, want none", n)
	}
	if got := w.log(bob); len(got) != 1 || got[0].EventType != events.Listed || got[0].Unread != 1 {
		t.Errorf("changes of a muted user's inbox: %+v, want one that is only listed", got)
	}
	w.now = noon.Add(59 * time.Minute)
	w.deliver(0)
	w.now = noon.Add(time.Hour)
	w.deliver(1)
	if n := w.list(ada)[0]; n.Late {
		t.Errorf("deferred by quiet hours: got %+v, want one that is not late", n)
	}
}

func (w *world) save(user string, p domain.Preferences) {
	w.t.Helper()
	if err := w.store.SavePreferences(w.t.Context(), user, p, w.now); err != nil {
		w.t.Fatalf("SavePreferences: %v", err)
	}
}

func TestNewPreferencesApplyToHeldReminders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	quiet, err := domain.NewQuietHours("11:00", "18:00", "UTC")
	if err != nil {
		t.Fatal(err)
	}
	w.save(ada, domain.Preferences{InApp: true, Quiet: quiet})
	w.apply(reminder(1, 1, 0), domain.Scheduled)
	w.apply(reminder(2, 1, 90), domain.Scheduled) // not due yet, and not moved
	w.deliver(0)
	w.now = noon.Add(time.Hour)
	w.deliver(0)
	w.save(ada, domain.DefaultPreferences())
	w.deliver(1)
	if n := w.list(ada)[0]; n.Late {
		t.Errorf("deferred by quiet hours: got %+v, want one that is not late", n)
	}
	w.now = noon.Add(90 * time.Minute)
	w.deliver(1)
	w.wantCounts(2)
}

// Saves new preferences while an engine defers the reminder by the old ones. The later transaction sees the earlier one, so
// the reminder does not wait for the end of removed quiet hours.
func TestPreferencesSavedDuringADeliveryAreNotMissed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	quiet, err := domain.NewQuietHours("11:00", "18:00", "UTC")
	if err != nil {
		t.Fatal(err)
	}
	w.save(ada, domain.Preferences{InApp: true, Quiet: quiet})
	w.apply(reminder(1, 1, 0), domain.Scheduled)
	saved := make(chan error, 1)
	_, err = w.store.Settle(t.Context(), w.now, 10, func(d domain.Due, p domain.Preferences) domain.Decision {
		go func() {
			saved <- newStore(w.db.Gorm).SavePreferences(t.Context(), ada, domain.DefaultPreferences(), w.now)
		}()
		w.waitForLock()
		return domain.Decide(d, p, w.now)
	})
	if err != nil {
		t.Fatalf("Settle: %v", err)
	}
	if err := <-saved; err != nil {
		t.Fatalf("SavePreferences: %v", err)
	}
	w.deliver(1)
}

// waitForLock waits until a session of this database waits for a lock.
func (w *world) waitForLock() {
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if w.count("pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'") > 0 {
			return
		}
	}
	w.t.Error("no transaction waits for the claimed row")
}
