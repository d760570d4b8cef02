package outbox_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/taskwire/taskwire/pkg/platform/outbox"
)

// refuse makes a broker refuse the events with these numbers.
func refuse(b *broker, ns ...int) {
	b.set(failing(func(m outbox.Message) error {
		if slices.Contains(ns, number(m)) {
			return fmt.Errorf("too large: %w", outbox.ErrRefused)
		}
		return nil
	}))
}

func (w *world) parkedStore() *outbox.ParkedStore {
	w.t.Helper()
	d, err := outbox.OpenParkedStore(w.t.Context(), w.db.OwnerURL)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { d.Close(w.t.Context()) })
	return d
}

func (w *world) parkedEvents(d *outbox.ParkedStore) []outbox.Parked {
	w.t.Helper()
	all, err := d.List(w.t.Context(), 0, 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

func TestARetriedEventIsPublishedAfterWaitingOnes(t *testing.T) {
	t.Parallel()
	w, b := newWorld(t), &broker{}
	store, relay := w.parkedStore(), w.relay(b)
	refuse(b, 1)
	first := event("tasks", "ann", "task", 1)
	w.add(first, event("tasks", "ann", "task", 2))
	w.mustOnce(relay)
	parked := w.parkedEvents(store)
	if len(parked) != 1 || !same(parked[0].Message, first) || parked[0].Reason == "" || parked[0].ParkedAt.Before(parked[0].CreatedAt) {
		t.Fatalf("List: got %+v, want event 1 with its reason and times", parked)
	}
	w.add(event("tasks", "ann", "task", 3)) // waits when 1 is moved back
	refuse(b)
	if err := store.Retry(t.Context(), parked[0].ID); err != nil {
		t.Fatalf("Retry: %v", err)
	}
	if w.parked() != 0 || w.waiting() != 2 {
		t.Errorf("parked %d, waiting %d; want 0, 2", w.parked(), w.waiting())
	}
	w.mustOnce(relay)
	if got := b.firsts("tasks", "task"); !slices.Equal(got, []int{2, 3, 1}) {
		t.Errorf("published %v, want 2, 3, 1", got)
	}
	if last := b.published()[2]; last.EventID != first.EventID {
		t.Errorf("the retried event has event_id %s, want %s as before", last.EventID, first.EventID)
	}
	for name, err := range map[string]error{"Retry": store.Retry(t.Context(), parked[0].ID), "Retry of none": store.Retry(t.Context(), 1<<40)} {
		if !errors.Is(err, outbox.ErrNotParked) {
			t.Errorf("%s again: got %v, want ErrNotParked", name, err)
		}
	}
}

func TestARetryDoesNotOvertakeAnEarlierParkedEvent(t *testing.T) {
	t.Parallel()
	w, b := newWorld(t), &broker{}
	store, relay := w.parkedStore(), w.relay(b)
	refuse(b, 1, 2, 3)
	w.add(event("tasks", "ann", "task", 1), event("tasks", "ann", "task", 2), event("tasks", "ann", "other", 3))
	w.mustOnce(relay)
	parked := w.parkedEvents(store)
	if len(parked) != 3 {
		t.Fatalf("parked %+v, want three", parked)
	}
	var earlier *outbox.EarlierParked
	if err := store.Retry(t.Context(), parked[1].ID); !errors.As(err, &earlier) || earlier.Earlier != parked[0].ID || w.parked() != 3 {
		t.Errorf("Retry of the second: got %v with %d parked, want the first named and three parked", err, w.parked())
	}
	if err := store.Retry(t.Context(), parked[2].ID); err != nil {
		t.Errorf("Retry of another task's: %v", err)
	}
	refuse(b)
	if n, err := store.RetryAll(t.Context()); n != 2 || err != nil {
		t.Errorf("RetryAll: got %d, %v; want 2", n, err)
	}
	w.mustOnce(relay)
	if got := b.firsts("tasks", "task"); !slices.Equal(got, []int{1, 2}) {
		t.Errorf("published %v, want 1, 2", got)
	}
}

func TestRetryAllKeepsOrderAndMovesEachOnce(t *testing.T) {
	t.Parallel()
	w, b := newWorld(t), &broker{}
	store, relay := w.parkedStore(), w.relay(b)
	const n = 1201 // more than two of RetryAll's transactions
	b.set(failing(func(outbox.Message) error { return outbox.ErrRefused }))
	fill(w, n)
	w.mustOnce(relay)
	if w.parked() != n {
		t.Fatalf("parked %d, want %d", w.parked(), n)
	}
	if got, err := store.RetryAll(t.Context()); got != n || err != nil {
		t.Fatalf("RetryAll: got %d, %v; want %d", got, err, n)
	}
	b.set(nil)
	w.mustOnce(relay)
	last := map[string]int{}
	for _, m := range b.published() {
		if at, ok := last[m.Subject]; ok && at > number(m) {
			t.Fatalf("event %d of %s came after %d", number(m), m.Subject, at)
		}
		last[m.Subject] = number(m)
	}
	if got := len(b.published()); got != n || w.parked() != 0 {
		t.Errorf("published %d, parked %d; want %d, 0", got, w.parked(), n)
	}
}

func TestADroppedEventIsReturnedAndDeleted(t *testing.T) {
	t.Parallel()
	w, b := newWorld(t), &broker{}
	store := w.parkedStore()
	refuse(b, 1)
	m := event("tasks", "ann", "task", 1)
	w.add(m)
	w.mustOnce(w.relay(b))
	found, err := store.Find(t.Context(), m.EventID)
	if err != nil || !same(found.Message, m) {
		t.Fatalf("Find: got %+v, %v", found, err)
	}
	if byID, err := store.Find(t.Context(), fmt.Sprint(found.ID)); err != nil || byID.EventID != m.EventID {
		t.Errorf("Find by id: got %+v, %v", byID, err)
	}
	w.add(event("tasks", "bob", "task-2", 2))
	if got, err := store.Backlog(t.Context()); err != nil || got.Waiting != 1 || got.Parked != 1 || got.OldestAge <= 0 {
		t.Errorf("Backlog: got %+v, %v; want one that waits, with its age, and one parked", got, err)
	}
	gone, err := store.Drop(t.Context(), found.ID)
	if err != nil || !same(gone.Message, m) || w.parked() != 0 {
		t.Errorf("Drop: got %+v, %v, %d parked", gone, err, w.parked())
	}
	if _, err := store.Drop(t.Context(), found.ID); !errors.Is(err, outbox.ErrNotParked) {
		t.Errorf("Drop again: got %v, want ErrNotParked", err)
	}
}

func TestADatabaseWithoutAnOutboxIsAnError(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.admin("DROP TABLE outbox_parked")
	if _, err := outbox.OpenParkedStore(t.Context(), w.db.OwnerURL); !errors.Is(err, outbox.ErrNoTables) {
		t.Errorf("OpenParkedStore: got %v, want ErrNoTables", err)
	}
}
