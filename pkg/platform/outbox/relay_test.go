package outbox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/taskwire/taskwire/pkg/platform/outbox"
)

func TestPublishedEventsLeaveTheTable(t *testing.T) {
	t.Parallel()
	w, b := newWorld(t), &broker{}
	for i := range 10 {
		w.add(event("tasks", fmt.Sprint("user-", i%3), fmt.Sprint("task-", i), i))
	}
	if n := w.mustOnce(w.relay(b)); n != 10 {
		t.Errorf("RunOnce = %d, want 10", n)
	}
	if len(b.published()) != 10 || w.waiting() != 0 {
		t.Errorf("published %d, waiting %d; want 10, 0", len(b.published()), w.waiting())
	}
}

func TestACommitIsPublishedAtOnce(t *testing.T) {
	t.Parallel()
	w, b := newWorld(t), &broker{}
	// Without a poll only the wake can start the publication.
	w.run(w.relay(b, func(c *outbox.RelayConfig) { c.PollInterval = time.Hour }))
	w.waitFor("the relay holds all buckets", func() bool { return w.holding("relay") == 64 })
	w.add(event("tasks", "ann", "task-1", 1))
	w.waitFor("publication", func() bool { return len(b.published()) == 1 })
}

// endRelaySessions ends the sessions of the relays of this database, as when their process dies.
const endRelaySessions = `SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
	WHERE application_name = 'relay' AND datname = current_database()`

// TestACrashBetweenCommitAndWakeLosesNothing commits an event through another Outbox, whose wake the relay does not get.
func TestACrashBetweenCommitAndWakeLosesNothing(t *testing.T) {
	t.Parallel()
	w, b := newWorld(t), &broker{}
	w.run(w.relay(b))
	another := outbox.New(w.db.Gorm, slog.New(slog.DiscardHandler))
	err := another.InTx(t.Context(), func(tx *outbox.Tx) error { tx.Add(event("tasks", "ann", "task-1", 1)); return nil })
	if err != nil {
		t.Fatal(err)
	}
	w.waitFor("publication", func() bool { return len(b.published()) == 1 })
}

// TestACrashBetweenPublishAndDeleteRepeatsTheEvent with the same id, so that consumers can de-duplicate.
func TestACrashBetweenPublishAndDeleteRepeatsTheEvent(t *testing.T) {
	t.Parallel()
	w, b := newWorld(t), &broker{}
	w.add(event("tasks", "ann", "task-1", 1))
	ctx, crash := context.WithCancel(t.Context())
	b.after = func(string, []outbox.Message) {
		// A crash: the sessions of the process end, and it does nothing more.
		w.admin(endRelaySessions)
		crash()
	}
	if _, err := w.relay(b).RunOnce(ctx); err == nil {
		t.Error("RunOnce of a relay that crashed = nil")
	}
	if w.waiting() != 1 {
		t.Fatalf("waiting = %d, want 1", w.waiting())
	}
	b.after = nil
	w.mustOnce(w.relay(b))
	got := b.published()
	if len(got) != 2 || got[0].EventID != got[1].EventID || w.waiting() != 0 {
		t.Errorf("published %+v, waiting %d; want the same event twice, 0", got, w.waiting())
	}
}

// TestAFailedDeleteDoesNotRepeatTheEvent: the relay remembers which published events it has to delete.
func TestAFailedDeleteDoesNotRepeatTheEvent(t *testing.T) {
	t.Parallel()
	w, b := newWorld(t), &broker{}
	var once sync.Once
	b.after = func(string, []outbox.Message) {
		once.Do(func() {
			w.admin(endRelaySessions)
		})
	}
	w.run(w.relay(b))
	w.add(event("tasks", "ann", "task-1", 1))
	w.waitFor("an empty outbox", func() bool { return w.waiting() == 0 })
	if got := len(b.published()); got != 1 {
		t.Errorf("published %d times, want once", got)
	}
}

func TestALateCommitIsNotSkipped(t *testing.T) {
	t.Parallel()
	w, b := newWorld(t), &broker{}
	r := w.relay(b)
	early, commit, done := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		tx := w.db.Gorm.Begin()
		// This row gets the lower id.
		err := tx.Exec(`INSERT INTO outbox (bucket, topic, key, event_id, type, subject, trace_parent, data)
			VALUES (7, 'tasks', 'late', gen_random_uuid(), 'created', 'late', '', '{"n":1}')`).Error
		close(early)
		<-commit
		done <- errors.Join(err, tx.Commit().Error)
	}()
	<-early
	w.add(event("tasks", "ann", "task-1", 2))
	w.mustOnce(r)
	if got := len(b.published()); got != 1 {
		t.Errorf("published %d before the late commit, want 1", got)
	}
	close(commit)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	w.mustOnce(r)
	if got := b.firsts("tasks", "late"); !slices.Equal(got, []int{1}) || w.waiting() != 0 {
		t.Errorf("late events published %v, waiting %d; want [1], 0", got, w.waiting())
	}
}

func TestBulksAreBoundedAndHoldASubjectOnce(t *testing.T) {
	t.Parallel()
	w, b := newWorld(t), &broker{}
	err := w.box.InTx(t.Context(), func(tx *outbox.Tx) error {
		for i := range 700 {
			m := event("tasks", "ann", fmt.Sprint("task-", i%150), i)
			if i%50 == 0 {
				m.Data = append(m.Data, bytes.Repeat([]byte(" "), 9_000)...)
			}
			tx.Add(m)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	const rows, size = 100, 20_000
	w.mustOnce(w.relay(b, func(c *outbox.RelayConfig) { c.MaxBatch, c.MaxBatchBytes = rows, size }))
	for _, bulk := range b.bulks {
		bytes, subjects := 0, map[string]bool{}
		for _, m := range bulk {
			bytes += len(m.Data)
			if subjects[m.Subject] {
				t.Errorf("a bulk holds %s twice", m.Subject)
			}
			subjects[m.Subject] = true
		}
		if len(bulk) > rows || bytes > size {
			t.Errorf("a bulk of %d events and %d bytes; limits %d, %d", len(bulk), bytes, rows, size)
		}
	}
	var order []int
	for _, m := range b.published() {
		order = append(order, number(m))
	}
	if len(order) != 700 || !slices.IsSorted(order) {
		t.Errorf("%d events of one key, in order: %v", len(order), slices.IsSorted(order))
	}
}

func TestAnEventLargerThanABulkIsSentAlone(t *testing.T) {
	t.Parallel()
	w, b := newWorld(t), &broker{}
	big := event("tasks", "ann", "task-1", 1)
	big.Data = append(big.Data, bytes.Repeat([]byte(" "), 1<<20)...)
	w.add(event("tasks", "ann", "task-0", 0), big, event("tasks", "ann", "task-2", 2))
	w.mustOnce(w.relay(b, func(c *outbox.RelayConfig) { c.MaxBatchBytes = 1000 }))
	if len(b.published()) != 3 || w.waiting() != 0 {
		t.Errorf("published %d, waiting %d; want 3, 0", len(b.published()), w.waiting())
	}
}

func TestAStopLetsTheBulkInFlightEnd(t *testing.T) {
	t.Parallel()
	w, b := newWorld(t), &broker{}
	begun, finish := make(chan struct{}), make(chan struct{})
	b.set(func(ctx context.Context, _ string, _ []outbox.Message) (map[string]error, error) {
		close(begun)
		<-finish
		return nil, ctx.Err()
	})
	stop := w.run(w.relay(b))
	w.add(event("tasks", "ann", "task-1", 1))
	<-begun
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	w.add(event("tasks", "ann", "task-1", 2)) // the relay is stopping and does not start on it
	close(finish)
	<-stopped
	if got := b.firsts("tasks", "task-1"); !slices.Equal(got, []int{1}) || w.waiting() != 1 {
		t.Errorf("published %v, waiting %d; want [1] and the second waiting", got, w.waiting())
	}
}

func TestTheGaugesShowTheBacklog(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := &broker{}
	b.set(func(context.Context, string, []outbox.Message) (map[string]error, error) { return nil, errAway })
	for i := range 7 {
		w.add(event("tasks", "ann", "task", i))
	}
	w.admin("UPDATE outbox SET created_at = now() - interval '1 hour' WHERE id = (SELECT max(id) FROM outbox)")
	w.admin("UPDATE outbox SET created_at = now() - interval '2 hours' WHERE id = (SELECT min(id) FROM outbox)")
	reg := prometheus.NewRegistry()
	w.run(w.relay(b, func(c *outbox.RelayConfig) { c.Registerer = reg }))
	w.waitFor("the backlog's gauge", func() bool { return metric(t, reg, "outbox_backlog") == 7 })
	if got := metric(t, reg, "outbox_oldest_age_seconds"); got < 7200 || got > 7300 {
		t.Errorf("outbox_oldest_age_seconds = %v, want about 7200", got)
	}
}

func TestAnIncompleteConfigurationIsRefused(t *testing.T) {
	t.Parallel()
	if _, err := outbox.NewRelay(outbox.RelayConfig{}); err == nil {
		t.Error("NewRelay without a configuration = nil")
	}
}

// metric returns the sum of a metric over its labels.
func metric(t *testing.T, reg *prometheus.Registry, name string) (sum float64) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				sum += m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	return sum
}
