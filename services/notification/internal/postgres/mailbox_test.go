package postgres_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/taskwire/taskwire/pkg/platform/inbox"
	"github.com/taskwire/taskwire/services/notification/internal/domain"
)

func inboxOf(w *world) *inbox.Inbox { return inbox.New(w.db.Gorm, "notification") }

func (w *world) applyIn(r domain.Reminder) func(tx *gorm.DB) error {
	return func(tx *gorm.DB) error {
		_, err := w.store.Apply(w.t.Context(), tx, r)
		return err
	}
}

// notified returns a world with n delivered notifications, one minute apart.
func notified(t *testing.T, n int) *world {
	w := newWorld(t)
	for task := range n {
		w.now = noon.Add(time.Duration(task) * time.Minute)
		w.apply(reminder(task, 1, task), domain.Scheduled)
		w.deliver(1)
	}
	return w
}

func TestPagesContinueWhileNewNotificationsArrive(t *testing.T) {
	t.Parallel()
	w := notified(t, 7)
	f := domain.Filter{UserID: ada, Limit: 3}
	box := domain.NewMailbox(w.store, func() time.Time { return w.now }, func() {})
	var titles []string
	for page := 0; ; page++ {
		got, err := box.List(t.Context(), f)
		if err != nil {
			t.Fatalf("List: %v", err)
		}
		for _, n := range got.Items {
			titles = append(titles, n.Title)
		}
		if !got.More {
			break
		}
		last := got.Items[len(got.Items)-1]
		f.After = &domain.Key{CreatedAt: last.CreatedAt, ID: last.ID}
		w.apply(reminder(100+page, 1, 10), domain.Scheduled) // newer than all of them
		w.now = noon.Add(time.Hour)
		w.deliver(1)
	}
	want := fmt.Sprint([]string{"task 6 version 1", "task 5 version 1", "task 4 version 1", "task 3 version 1", "task 2 version 1", "task 1 version 1", "task 0 version 1"})
	if got := fmt.Sprint(titles); got != want {
		t.Errorf("pages: %s, want %s", got, want)
	}
}

func TestReadIsKeptAndFiltered(t *testing.T) {
	t.Parallel()
	w := notified(t, 3)
	all := w.list(ada)
	first, err := w.store.MarkRead(t.Context(), ada, all[1].ID, w.now)
	if err != nil {
		t.Fatalf("MarkRead: %v", err)
	}
	again, err := w.store.MarkRead(t.Context(), ada, all[1].ID, w.now.Add(time.Hour))
	if err != nil || !again.ReadAt.Equal(*first.ReadAt) {
		t.Errorf("MarkRead again: %v, %v, want the first time kept, %v", again.ReadAt, err, first.ReadAt)
	}
	for unread, want := range map[bool]int{true: 2, false: 1} {
		got, err := w.store.List(t.Context(), domain.Filter{UserID: ada, Unread: &unread}, 10)
		if err != nil || len(got.Items) != want || got.Unread != 2 {
			t.Errorf("unread=%t: %d items, %d unread, %v, want %d, 2", unread, len(got.Items), got.Unread, err, want)
		}
	}
}

func TestASnoozedNotificationIsDeliveredAgainOnce(t *testing.T) {
	t.Parallel()
	w := notified(t, 1)
	first := w.list(ada)[0]
	until := w.now.Add(10 * time.Minute)
	for range 2 { // the repeated call must change nothing
		n, err := w.store.Snooze(t.Context(), ada, first.ID, until, w.now)
		if err != nil || n.ReadAt == nil || !n.SnoozedUntil.Equal(until) {
			t.Fatalf("Snooze: %+v, %v", n, err)
		}
	}
	w.deliver(0)
	w.now = until
	w.deliver(1)
	w.deliver(0)
	w.wantRows(map[string]int{"notifications": 2, "deliveries": 2, "outbox": 3}) // the snooze read the first
	all := w.list(ada)
	if all[0].ID == first.ID || all[0].ReadAt != nil || all[0].Title != first.Title || all[0].Late {
		t.Errorf("second delivery: got %+v, want a new, unread notification in time", all[0])
	}
	if all[1].SnoozedUntil != nil {
		t.Errorf("first notification: got %+v, want no snooze", all[1])
	}
	if _, err := w.store.Snooze(t.Context(), ada, all[0].ID, until.Add(time.Minute), w.now); err != nil {
		t.Fatalf("Snooze of the second: %v", err)
	}
	w.now = until.Add(time.Minute)
	w.deliver(1)
}

func TestASnoozeEndsWithItsReminder(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		event      domain.Reminder
		outcome    domain.Outcome
		wantAgain  int
		wantAnswer error
	}{
		"completed or deleted": {cancelled(0, 2), domain.Cancelled, 0, domain.ErrTaskDone},
		"rescheduled":          {reminder(0, 2, 300), domain.Scheduled, 0, nil},
		"renamed":              {reminder(0, 2, 0), domain.Delivered, 1, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := notified(t, 1)
			first := w.list(ada)[0]
			if _, err := w.store.Snooze(t.Context(), ada, first.ID, noon.Add(10*time.Minute), w.now); err != nil {
				t.Fatalf("Snooze: %v", err)
			}
			w.apply(c.event, c.outcome)
			w.now = noon.Add(10 * time.Minute)
			w.deliver(c.wantAgain)
			_, err := w.store.Snooze(t.Context(), ada, first.ID, noon.Add(20*time.Minute), w.now)
			if !errors.Is(err, c.wantAnswer) {
				t.Errorf("Snooze after the event: %v, want %v", err, c.wantAnswer)
			}
			if c.wantAgain == 1 && w.list(ada)[0].Title != "task 0 version 2" {
				t.Errorf("second delivery: got title %q, want the new title", w.list(ada)[0].Title)
			}
		})
	}
}

func TestAnotherUsersNotificationIsNotFound(t *testing.T) {
	t.Parallel()
	w := notified(t, 1)
	id := w.list(ada)[0].ID
	for name, call := range map[string]func() error{
		"MarkRead":   func() error { _, err := w.store.MarkRead(t.Context(), bob, id, w.now); return err },
		"Snooze":     func() error { _, err := w.store.Snooze(t.Context(), bob, id, w.now.Add(time.Hour), w.now); return err },
		"Deliveries": func() error { _, err := w.store.Deliveries(t.Context(), bob, id); return err },
	} {
		if err := call(); !errors.Is(err, domain.ErrNotFound) {
			t.Errorf("%s of another user's: %v, want ErrNotFound", name, err)
		}
	}
	if n := w.list(ada)[0]; n.ReadAt != nil || n.SnoozedUntil != nil {
		t.Errorf("the notification was changed: %+v", n)
	}
	if got := w.list(bob); len(got) != 0 {
		t.Errorf("another user's list has %d", len(got))
	}
}

func TestDeliveriesReturnTheStateOfEachChannel(t *testing.T) {
	t.Parallel()
	w := notified(t, 1)
	got, err := w.store.Deliveries(t.Context(), ada, w.list(ada)[0].ID)
	want := domain.Delivery{Channel: domain.ChannelInApp, State: domain.DeliveryDelivered, Attempts: 1, At: w.now}
	if err != nil || len(got) != 1 || got[0] != want {
		t.Errorf("Deliveries: %+v, %v, want %+v", got, err, want)
	}
}

func TestPreferencesAreKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if p, err := w.store.Preferences(t.Context(), ada); err != nil || !p.InApp || p.Quiet != nil {
		t.Errorf("before any are set: %+v, %v, want the defaults", p, err)
	}
	quiet, err := domain.NewQuietHours("22:30", "07:00", "Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	w.save(ada, domain.Preferences{InApp: true, Quiet: quiet})
	p, err := w.store.Preferences(t.Context(), ada)
	if err != nil || !p.InApp || p.Quiet == nil || p.Quiet.StartClock() != "22:30" || p.Quiet.EndClock() != "07:00" || p.Quiet.Zone.String() != "Europe/London" {
		t.Errorf("Preferences: %+v, %v", p, err)
	}
	w.save(ada, domain.Preferences{})
	if p, err := w.store.Preferences(t.Context(), ada); err != nil || p.InApp || p.Quiet != nil {
		t.Errorf("replaced: %+v, %v", p, err)
	}
	if p, err := w.store.Preferences(t.Context(), bob); err != nil || !p.InApp {
		t.Errorf("another user's: %+v, %v", p, err)
	}
}
