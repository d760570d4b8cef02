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
