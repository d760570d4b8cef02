package outbox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/taskwire/taskwire/pkg/platform/outbox"
	"github.com/taskwire/taskwire/testkit/logtest"
)

func refused(why string) error { return fmt.Errorf("%w: %s", outbox.ErrRefused, why) }

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

func TestAFailedEventHoldsBackOnlyItsOrderKey(t *testing.T) {
	t.Parallel()
	w, b := newWorld(t), &broker{}
	w.add(
		event("tasks", "ann", "bad", 1), event("tasks", "ann", "bad", 2), event("tasks", "ann", "other", 3),
		event("updates", "ann", "bad", 4), event("tasks", "bob", "good", 5),
	)
	b.set(failing(func(m outbox.Message) error {
		if number(m) == 1 {
			return errAway
		}
		return nil
	}))
	r := w.relay(b)
	if _, err := w.once(r); !errors.Is(err, errAway) {
		t.Errorf("RunOnce = %v, want %v", err, errAway)
	}
	var got []int
	for _, m := range b.published() {
		got = append(got, number(m))
	}
	slices.Sort(got)
	// 2 and 3 have the order key of 1 and are later.
	if !slices.Equal(got, []int{4, 5}) {
		t.Errorf("published %v, want [4 5]", got)
	}
	b.set(nil)
	w.waitFor("an empty outbox", func() bool { _, err := w.once(r); return err == nil && w.waiting() == 0 })
	if got := b.firsts("tasks", "bad"); !slices.Equal(got, []int{1, 2}) {
		t.Errorf("order of task bad = %v, want [1 2]", got)
	}
}

// TestAKeyThatFailsForLongDoesNotStarveItsBucket has a backlog of the failing key that is longer than a fetch.
func TestAKeyThatFailsForLongDoesNotStarveItsBucket(t *testing.T) {
	t.Parallel()
	w, b := newWorld(t), &broker{}
	err := w.box.InTx(t.Context(), func(tx *outbox.Tx) error {
		for i := range 3000 {
			tx.Add(event("tasks", "bad", fmt.Sprint("bad-", i), i))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	same := sameBucket("bad")
	w.add(event("tasks", same, "good", 1))
	b.set(failing(func(m outbox.Message) error {
		if m.Key == "bad" {
			return errAway
		}
		return nil
	}))
	w.run(w.relay(b))
	w.waitFor("the other key's event", func() bool { return len(b.firsts("tasks", "good")) == 1 })
}

func TestAnEventThatFailsItsBulksIsIsolated(t *testing.T) {
	t.Parallel()
	w, b := newWorld(t), &broker{}
	const n = 100
	for i := range n {
		w.add(event("tasks", fmt.Sprint("user-", i), fmt.Sprint("task-", i), i))
	}
	b.set(func(_ context.Context, _ string, msgs []outbox.Message) (map[string]error, error) {
		for _, m := range msgs {
			if number(m) == 50 {
				return nil, errAway // for the whole bulk, without the reason
			}
		}
		return nil, nil
	})
	w.run(w.relay(b))
	w.waitFor("all events but one", func() bool { return w.waiting() == 1 })
	b.set(nil)
	w.waitFor("the last event", func() bool { return w.waiting() == 0 })
}

func TestARefusedEventIsParkedAndItsKeyContinues(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func(context.Context, string, []outbox.Message) (map[string]error, error){
		"by its id": failing(func(m outbox.Message) error {
			if number(m) == 1 {
				return refused("too large")
			}
			return nil
		}),
		"as a whole bulk": func(_ context.Context, _ string, msgs []outbox.Message) (map[string]error, error) {
			for _, m := range msgs {
				if number(m) == 1 {
					return nil, refused("too large")
				}
			}
			return nil, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, b := newWorld(t), &broker{}
			var log bytes.Buffer
			reg := prometheus.NewRegistry()
			b.set(fail)
			bad := event("tasks", "ann", "task-1", 1)
			w.add(bad, event("tasks", "ann", "task-1", 2), event("tasks", "ann", "task-2", 3), event("tasks", "bob", "task-3", 4))
			w.mustOnce(w.relay(b, func(c *outbox.RelayConfig) {
				c.Log, c.Registerer = slog.New(slog.NewTextHandler(&log, nil)), reg
			}))
			if got := b.firsts("tasks", "task-1"); !slices.Equal(got, []int{2}) {
				t.Errorf("task-1 published %v, want [2]", got)
			}
			if len(b.published()) != 3 || w.waiting() != 0 || w.parked() != 1 {
				t.Errorf("published %d, waiting %d, parked %d; want 3, 0, 1", len(b.published()), w.waiting(), w.parked())
			}
			var row struct{ EventID, Reason, Data string }
			if err := w.db.Gorm.Raw("SELECT event_id, reason, convert_from(data, 'UTF8') AS data FROM outbox_parked").Scan(&row).Error; err != nil {
				t.Fatal(err)
			}
			if row.EventID != bad.EventID || !strings.Contains(row.Reason, "too large") || row.Data != string(bad.Data) {
				t.Errorf("parked %+v, want %s with its data and the reason", row, bad.EventID)
			}
			if strings.Count(log.String(), "level=ERROR") != 1 || !strings.Contains(log.String(), bad.EventID) {
				t.Errorf("log %q does not report event %s as one error", log.String(), bad.EventID)
			}
			if got := metric(t, reg, "outbox_parked_total"); got != 1 {
				t.Errorf("outbox_parked_total = %v, want 1", got)
			}
		})
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

func TestAHangingPublishIsTimedOutAndRetried(t *testing.T) {
	t.Parallel()
	w, b := newWorld(t), &broker{}
	var calls atomic.Int32
	b.set(func(ctx context.Context, _ string, _ []outbox.Message) (map[string]error, error) {
		if calls.Add(1) <= 2 {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return nil, nil
	})
	w.run(w.relay(b, func(c *outbox.RelayConfig) { c.PublishTimeout = 20 * time.Millisecond }))
	w.add(event("tasks", "ann", "task-1", 1), event("tasks", "ann", "task-1", 2))
	w.waitFor("an empty outbox", func() bool { return w.waiting() == 0 })
	if got := b.firsts("tasks", "task-1"); !slices.Equal(got, []int{1, 2}) {
		t.Errorf("order = %v, want [1 2]", got)
	}
}

func TestABrokerOutageLosesNothingAndIsLoggedRarely(t *testing.T) {
	t.Parallel()
	w, b := newWorld(t), &broker{}
	var log logtest.Buffer
	var calls atomic.Int32
	b.set(func(context.Context, string, []outbox.Message) (map[string]error, error) {
		calls.Add(1)
		return nil, errAway
	})
	w.run(w.relay(b, func(c *outbox.RelayConfig) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) }))
	for i := range 20 {
		w.add(event("tasks", fmt.Sprint("user-", i), "task", i))
	}
	w.waitFor("several attempts", func() bool { return calls.Load() > 6 })
	if got := strings.Count(log.String(), "events wait in the outbox"); got != 1 {
		t.Errorf("%d lines for %d failed attempts, want 1:\n%s", got, calls.Load(), log.String())
	}
	b.set(nil)
	w.waitFor("an empty outbox", func() bool { return w.waiting() == 0 })
	if got := len(b.published()); got != 20 {
		t.Errorf("published %d, want 20", got)
	}
}

func TestAFailingTopicDoesNotStopAnother(t *testing.T) {
	t.Parallel()
	w, b := newWorld(t), &broker{}
	b.set(func(_ context.Context, topic string, _ []outbox.Message) (map[string]error, error) {
		if topic == "bad" {
			return nil, errAway
		}
		return nil, nil
	})
	for i := range 50 {
		w.add(event("bad", "ann", "task", i), event("good", "ann", "task", i))
	}
	if _, err := w.once(w.relay(b)); !errors.Is(err, errAway) {
		t.Errorf("RunOnce = %v, want %v", err, errAway)
	}
	if got := len(b.firsts("good", "task")); got != 50 || w.waiting() != 50 {
		t.Errorf("published %d of the good topic, %d waiting; want 50, 50", got, w.waiting())
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

// TestALargeBacklogIsNotReadForEveryCommit: while the broker is away each commit wakes the relay, and every row that it
// could find backs off.
func TestALargeBacklogIsNotReadForEveryCommit(t *testing.T) {
	t.Parallel()
	const backlog, writers, commits = 20_000, 8, 400 // of each writer
	w, b := newWorld(t), &broker{}
	b.set(func(context.Context, string, []outbox.Message) (map[string]error, error) { return nil, errAway })
	err := w.box.InTx(t.Context(), func(tx *outbox.Tx) error {
		for i := range backlog {
			tx.Add(event("tasks", fmt.Sprint("user-", i), fmt.Sprint("task-", i), 1))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	read := func() int {
		return w.count(`SELECT sum(idx_tup_fetch)::bigint FROM pg_stat_user_tables WHERE relname = 'outbox'`)
	}
	w.admin("VACUUM ANALYZE outbox")
	began, before := time.Now(), read()
	stop := w.run(w.relay(b))
	var writing sync.WaitGroup
	for n := range writers {
		writing.Go(func() {
			for i := range commits {
				w.add(event("tasks", fmt.Sprint("user-", n, i), fmt.Sprint("late-", n, i), 1))
			}
		})
	}
	writing.Wait()
	stop() // ends the sessions, which makes Postgres count what they have read
	took := time.Since(began)
	fetched := (read() - before) / backlog
	t.Logf("the backlog was read %d times in %s, in which %d events were committed", fetched, took, writers*commits)
	// Ten attempts at first, then one or two a second, and the gauges. A read for each commit would be ten a second.
	if most := 10 + int(3*took.Seconds()); fetched > most {
		t.Errorf("the backlog was read %d times in %s, want at most %d", fetched, took, most)
	}
	b.set(nil)
	w.run(w.relay(b))
	w.waitFor("an empty outbox", func() bool { return w.waiting() == 0 })
	if got := len(b.published()); got != backlog+writers*commits {
		t.Errorf("published %d, want %d", got, backlog+writers*commits)
	}
}
