package postgres_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/services/notification/internal/domain"
)

// log returns the changes of a user's inbox and checks that their numbers are 1, 2, 3, …
func (w *world) log(user string) []events.NotificationEvent {
	w.t.Helper()
	page, err := w.store.Changes(w.t.Context(), user, 0, 100_000)
	if err != nil {
		w.t.Fatalf("Changes: %v", err)
	}
	changes := make([]events.NotificationEvent, len(page.Items))
	for i, item := range page.Items {
		changes[i] = decoded(w.t, item)
		if changes[i].NotificationSeq != int64(i)+1 || changes[i].UserID != user {
			w.t.Fatalf("change %d of %s's inbox is %s", i+1, user, item)
		}
	}
	if page.Head != int64(len(changes)) || page.HasMore {
		w.t.Errorf("head %d, more %t after %d changes", page.Head, page.HasMore, len(changes))
	}
	if n := len(changes); n > 0 && page.Unread != changes[n-1].Unread {
		w.t.Errorf("the page says %d unread, the newest change says %d", page.Unread, changes[n-1].Unread)
	}
	if n := len(changes); n > 0 && page.Unread != changes[n-1].Unread {
		w.t.Errorf("the page says %d unread, the newest change says %d", page.Unread, changes[n-1].Unread)
	}
	return changes
}

func decoded(t *testing.T, data json.RawMessage) events.NotificationEvent {
	t.Helper()
	ev, err := events.DecodeNotificationEvent(data)
	if err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	return ev
}

// wantConsistent checks the log of an inbox against the inbox: the unread count of each change, and each notification's
// newest number. It returns the changes.
func (w *world) wantConsistent(user string) []events.NotificationEvent {
	w.t.Helper()
	changes, inbox := w.log(user), w.inbox(user)
	newest, unread := map[string]events.NotificationEvent{}, int64(0)
	for _, c := range changes {
		before, known := newest[c.NotificationID]
		switch {
		case !known && c.EventType != events.Read && c.ReadAt == nil:
			unread++
		case known && before.EventType != events.Read && c.EventType == events.Read && c.ReadAt != nil:
			unread--
		default:
			w.t.Errorf("change %d is %s after %q", c.NotificationSeq, c.EventType, before.EventType)
		}
		if newest[c.NotificationID] = c; c.Unread != unread {
			w.t.Errorf("change %d says %d unread, want %d", c.NotificationSeq, c.Unread, unread)
		}
	}
	if inbox.Unread != unread || inbox.Seq != int64(len(changes)) || len(inbox.Items) != min(len(newest), domain.MaxLimit) {
		w.t.Errorf("inbox: %d notifications, %d unread, number %d; the log says %d, %d, %d", len(inbox.Items), inbox.Unread, inbox.Seq, len(newest), unread, len(changes))
	}
	for _, n := range inbox.Items {
		if c := newest[n.ID]; n.Seq != c.NotificationSeq || n.Title != c.Title || n.Body != c.Body || (n.ReadAt == nil) != (c.ReadAt == nil) {
			w.t.Errorf("notification %+v, its newest change %+v", n, c)
		}
	}
	return changes
}

func TestEachChangeOfAnInboxHasTheNextNumber(t *testing.T) {
	t.Parallel()
	w := notified(t, 3)
	other := reminder(9, 1, 0)
	other.UserID = bob
	w.apply(other, domain.Scheduled)
	w.deliver(1)
	read := func(id string) domain.Notification {
		t.Helper()
		n, err := w.store.MarkRead(t.Context(), ada, id, w.now)
		if err != nil {
			t.Fatalf("MarkRead: %v", err)
		}
		return n
	}
	all := w.list(ada)
	first := read(all[1].ID)
	if again := read(all[1].ID); again.Seq != 4 || first.Seq != 4 {
		t.Errorf("read: number %d, again %d, want 4 both times", first.Seq, again.Seq)
	}
	snoozed, err := w.store.Snooze(t.Context(), ada, all[0].ID, w.now.Add(time.Minute), w.now)
	if err != nil || snoozed.Seq != 5 {
		t.Fatalf("Snooze: %+v, %v, want the number 5", snoozed, err)
	}
	if snoozed, err = w.store.Snooze(t.Context(), ada, all[1].ID, w.now.Add(time.Hour), w.now); err != nil || snoozed.Seq != 4 {
		t.Fatalf("Snooze of a notification that is read: %+v, %v, want no new number", snoozed, err)
	}
	w.now = w.now.Add(time.Minute)
	w.deliver(1)
	want := []struct {
		kind   events.Type
		title  string
		unread int64
	}{
		{events.Added, "task 0 version 1", 1}, {events.Added, "task 1 version 1", 2}, {events.Added, "task 2 version 1", 3},
		{events.Read, "task 1 version 1", 2}, {events.Read, "task 2 version 1", 1}, {events.Added, "task 2 version 1", 2},
	}
	changes := w.wantConsistent(ada)
	if len(changes) != len(want) {
		t.Fatalf("%d changes: %+v, want %d", len(changes), changes, len(want))
	}
	for i, c := range changes {
		if c.EventType != want[i].kind || c.Title != want[i].title || c.Unread != want[i].unread {
			t.Errorf("change %d: %s of %q, %d unread; want %+v", i+1, c.EventType, c.Title, c.Unread, want[i])
		}
	}
	if got := w.wantConsistent(bob); len(got) != 1 {
		t.Errorf("another user's inbox: %+v, want its own number 1", got)
	}
}

// The published event is what the replay returns, byte for byte.
func TestTheLogHasTheEventsOfTheOutbox(t *testing.T) {
	t.Parallel()
	w := notified(t, 2)
	if _, err := w.store.MarkRead(t.Context(), ada, w.list(ada)[0].ID, w.now); err != nil {
		t.Fatal(err)
	}
	var sent []struct{ Key, Topic, EventID, Data string }
	if err := w.db.Gorm.Raw(`SELECT key, topic, event_id, convert_from(data, 'UTF8') AS data FROM outbox ORDER BY id`).Scan(&sent).Error; err != nil {
		t.Fatal(err)
	}
	page, err := w.store.Changes(t.Context(), ada, 0, 10)
	if err != nil || len(page.Items) != len(sent) || len(sent) != 3 {
		t.Fatalf("%d changes in the log (%v), %d in the outbox, want 3", len(page.Items), err, len(sent))
	}
	for i, m := range sent {
		if m.Data != string(page.Items[i]) || m.Key != ada || m.Topic != events.TopicNotifications || m.EventID != decoded(t, page.Items[i]).EventID {
			t.Errorf("outbox %+v, log %s", m, page.Items[i])
		}
	}
}

func TestChangesAreReadPageByPage(t *testing.T) {
	t.Parallel()
	w := notified(t, 5)
	for _, c := range []struct {
		since int64
		limit int
		want  string // numbers, head, oldest, more
	}{
		{0, 2, "[1 2] 5 0 true"},
		{2, 2, "[3 4] 5 0 true"},
		{4, 2, "[5] 5 0 false"},
		{3, 2, "[4 5] 5 0 false"},
		{5, 2, "[] 5 0 false"},
		{9, 2, "[] 5 0 false"}, // of a client that saw a database which was restored later
	} {
		page, err := w.store.Changes(t.Context(), ada, c.since, c.limit)
		if err != nil {
			t.Fatalf("Changes since %d: %v", c.since, err)
		}
		numbers := []int64{}
		for _, item := range page.Items {
			numbers = append(numbers, decoded(t, item).NotificationSeq)
		}
		if got := fmt.Sprint(numbers, page.Head, page.Oldest, page.HasMore); got != c.want {
			t.Errorf("Changes since %d: %s, want %s", c.since, got, c.want)
		}
	}
	if page, err := w.store.Changes(t.Context(), bob, 0, 2); err != nil || page.Items == nil || len(page.Items) != 0 || page.Head != 0 || page.HasMore {
		t.Errorf("Changes of a user without notifications: %+v, %v, want the head 0", page, err)
	}
	if heads, err := w.store.Heads(t.Context(), []string{ada, bob}); err != nil || len(heads) != 1 || heads[ada] != 5 {
		t.Errorf("Heads: %v, %v, want 5 for the one user with notifications", heads, err)
	}
}

func TestAfterPruningTheLogSaysWhereItBegins(t *testing.T) {
	t.Parallel()
	w := notified(t, 5)
	age := func(upto int) {
		t.Helper()
		if err := w.db.Gorm.Exec(`UPDATE changes SET created_at = now() - interval '8 days' WHERE seq <= ?`, upto).Error; err != nil {
			t.Fatal(err)
		}
	}
	prune := func(want int64) {
		t.Helper()
		if n, err := w.store.PruneChanges(t.Context(), time.Now().Add(-domain.ChangeRetention)); err != nil || n != want {
			t.Errorf("PruneChanges: %d, %v, want %d", n, err, want)
		}
	}
	prune(0)
	age(3)
	prune(3)
	prune(0)
	for _, since := range []int64{0, 2} {
		if _, err := w.store.Changes(t.Context(), ada, since, 10); !errors.Is(err, domain.ErrTooOld) {
			t.Errorf("Changes since %d: %v, want ErrTooOld", since, err)
		}
	}
	page, err := w.store.Changes(t.Context(), ada, 3, 10)
	if err != nil || len(page.Items) != 2 || page.Oldest != 4 || page.Head != 5 {
		t.Errorf("Changes since 3: %+v, %v, want 4 and 5", page, err)
	}
	age(5)
	prune(2)
	if page, err = w.store.Changes(t.Context(), ada, 5, 10); err != nil || len(page.Items) != 0 || page.Oldest != 6 || page.Head != 5 {
		t.Errorf("Changes since the head of an empty log: %+v, %v, want none", page, err)
	}
	w.apply(reminder(7, 1, 4), domain.Scheduled)
	w.deliver(1)
	if page, err = w.store.Changes(t.Context(), ada, 5, 10); err != nil || len(page.Items) != 1 || decoded(t, page.Items[0]).Unread != 6 {
		t.Errorf("after the pruning: %+v, %v, want the number 6 and 6 unread", page, err)
	}
	if got := w.inbox(ada); len(got.Items) != 6 || got.Unread != 6 {
		t.Errorf("inbox: %d, %d unread; pruning the log must not touch it", len(got.Items), got.Unread)
	}
}

// The transaction of a reading fails at each of its writes and at its commit. The next call reads the notification once.
func TestACrashAtAnyStepOfAReadingLeavesNothing(t *testing.T) {
	t.Parallel()
	for _, step := range []struct{ table, event string }{
		{"heads", "AFTER UPDATE"}, {"notifications", "BEFORE UPDATE"}, {"notifications", "AFTER UPDATE"},
		{"changes", "BEFORE INSERT"}, {"changes", "AFTER INSERT"}, {"outbox", "AFTER INSERT"}, {"outbox", "CONSTRAINT"},
	} {
		t.Run(step.event+" "+step.table, func(t *testing.T) {
			t.Parallel()
			w := notified(t, 1)
			id := w.list(ada)[0].ID
			disarm := w.dieAt(step.table, step.event)
			if n, err := w.store.MarkRead(t.Context(), ada, id, w.now); err == nil {
				t.Fatalf("MarkRead: %+v and no error, want the error of the ended session", n)
			}
			if changes := w.wantConsistent(ada); len(changes) != 1 {
				t.Errorf("after the crash: %+v, want only the new notification", changes)
			}
			disarm()
			for range 2 {
				if n, err := w.store.MarkRead(t.Context(), ada, id, w.now); err != nil || n.Seq != 2 || n.ReadAt == nil {
					t.Errorf("MarkRead: %+v, %v, want it read as change 2", n, err)
				}
			}
			w.wantConsistent(ada)
			w.wantRows(map[string]int{"outbox": 2})
		})
	}
}
