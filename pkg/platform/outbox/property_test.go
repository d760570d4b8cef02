package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/taskwire/taskwire/pkg/platform/outbox"
)

// TestNoEventIsLostOrReorderedWhenRelaysDie lets many writers commit and roll back while relays fail, hang, lose their
// sessions and are killed. Then it compares the published events with the committed ones.
func TestNoEventIsLostOrReorderedWhenRelaysDie(t *testing.T) {
	t.Parallel()
	writers, changes, seeds := 6, 60, 2
	if testing.Short() {
		changes, seeds = 25, 1
	}
	for range seeds {
		seed := rand.Uint64()
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			checkNothingLost(t, seed, writers, changes)
		})
	}
}

const (
	propertyKeys     = 5
	propertySubjects = 3 // of each key
)

var propertyTopics = []string{"tasks", "updates"}

func checkNothingLost(t *testing.T, seed uint64, writers, changes int) {
	w := newWorld(t)
	rnd := func(n uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, n)) }
	for k := range propertyKeys {
		w.admin("INSERT INTO account (key) VALUES ($1)", fmt.Sprint("user-", k))
	}
	b := &broker{}

	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var chaos sync.WaitGroup
	for i := range 3 {
		chaos.Go(func() { relaysThatDie(ctx, w, b, fmt.Sprint("relay-", i), rnd(uint64(100+i))) })
	}
	chaos.Go(func() { sessionsThatDie(ctx, w, rnd(200)) })

	var committed ledger
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() { write(w, &committed, rnd(uint64(i)), changes) })
	}
	wg.Wait()
	stop()
	chaos.Wait()

	// A last relay, without faults.
	b.set(nil)
	w.run(w.relay(b, named("last")))
	w.waitFor("an empty outbox", func() bool { return w.waiting() == 0 })
	committed.check(t, b)
}

// ledger records the committed events.
type ledger struct {
	mu     sync.Mutex
	events map[string]map[string]bool // topic and subject to event ids
}

func (l *ledger) add(m outbox.Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.events == nil {
		l.events = map[string]map[string]bool{}
	}
	at := m.Topic + " " + m.Subject
	if l.events[at] == nil {
		l.events[at] = map[string]bool{}
	}
	l.events[at][m.EventID] = true
}

func (l *ledger) check(t *testing.T, b *broker) {
	t.Helper()
	total := 0
	seen := map[string]map[string]bool{}
	last := map[string]int{}
	repeats := 0
	for _, m := range b.published() {
		at := m.Topic + " " + m.Subject
		if !l.events[at][m.EventID] {
			t.Fatalf("event %s of %s was published and never committed", m.EventID, at)
		}
		if seen[at] == nil {
			seen[at] = map[string]bool{}
		}
		if seen[at][m.EventID] {
			repeats++
			continue
		}
		seen[at][m.EventID] = true
		if n := number(m); n <= last[at] {
			t.Errorf("%s: %d first published after %d", at, n, last[at])
		} else {
			last[at] = n
		}
	}
	for at, ids := range l.events {
		total += len(ids)
		for id := range ids {
			if !seen[at][id] {
				t.Errorf("event %s of %s was committed and never published", id, at)
			}
		}
	}
	t.Logf("%d events, %d repetitions", total, repeats)
}

var errRollback = errors.New("rolled back on purpose")

// write changes random tasks. It locks the key's row, whose seq numbers the events.
func write(w *world, committed *ledger, rnd *rand.Rand, changes int) {
	for range changes {
		key := fmt.Sprint("user-", rnd.IntN(propertyKeys))
		subject := fmt.Sprint(key, "/task-", rnd.IntN(propertySubjects))
		rollback, several, dawdle := rnd.IntN(8) == 0, 1+rnd.IntN(3), time.Duration(rnd.IntN(3))*time.Millisecond
		var msgs []outbox.Message
		err := w.box.InTx(context.Background(), func(tx *outbox.Tx) error {
			msgs = nil
			for range several {
				seq, err := lockKey(tx.DB, key)
				if err != nil {
					return err
				}
				for _, topic := range propertyTopics {
					msgs = append(msgs, event(topic, key, subject, seq))
				}
			}
			for _, m := range msgs {
				tx.Add(m)
			}
			time.Sleep(dawdle)
			if rollback {
				return errRollback
			}
			return nil
		})
		switch {
		case err == nil:
			for _, m := range msgs {
				committed.add(m)
			}
		case !errors.Is(err, errRollback):
			w.t.Errorf("InTx: %v", err)
		}
	}
}

// relaysThatDie runs one relay after the other on a faulty broker. Some are stopped; most are killed, so that their
// sessions end and their events in flight arrive or not.
func relaysThatDie(ctx context.Context, w *world, b *broker, name string, rnd *rand.Rand) {
	for ctx.Err() == nil {
		var dead atomic.Bool
		faulty := &faultyBroker{to: b, rnd: rnd, dead: &dead}
		box := w.box
		if rnd.IntN(2) == 0 {
			box = outbox.New(w.db.Gorm, slog.New(slog.DiscardHandler))
		}
		r := w.relay(faulty, named(name), func(c *outbox.RelayConfig) {
			c.Outbox, c.PublishTimeout, c.MaxBatch = box, 50*time.Millisecond, 1+rnd.IntN(20)
			c.Concurrency = 1 + rnd.IntN(4)
		})
		life, end := context.WithTimeout(ctx, time.Duration(50+rnd.IntN(600))*time.Millisecond)
		killed := rnd.IntN(3) > 0
		done := make(chan struct{})
		go func() { defer close(done); _ = r.Run(life) }()
		<-life.Done()
		if killed {
			dead.Store(true)
			_ = endSessions(w, name)
		}
		<-done
		end()
	}
}

// sessionsThatDie ends sessions of the relays at random. The relays continue.
func sessionsThatDie(ctx context.Context, w *world, rnd *rand.Rand) {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(100+rnd.IntN(400)) * time.Millisecond):
			_ = endSessions(w, fmt.Sprint("relay-", rnd.IntN(3)))
		}
	}
}

func endSessions(w *world, name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, w.db.AdminURL)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1 AND datname = current_database()", name)
	return err
}

// faultyBroker loses events, delays them, publishes a part of a bulk, and reports failures of published events.
type faultyBroker struct {
	to   *broker
	mu   sync.Mutex
	rnd  *rand.Rand
	dead *atomic.Bool
}

func (f *faultyBroker) PublishBulk(ctx context.Context, topic string, msgs []outbox.Message) (map[string]error, error) {
	f.mu.Lock()
	kind, cut, delay := f.rnd.IntN(10), f.rnd.IntN(len(msgs)+1), time.Duration(f.rnd.IntN(4))*time.Millisecond
	shuffled := append([]outbox.Message(nil), msgs...)
	// A broker's client may reorder within a bulk.
	f.rnd.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	f.mu.Unlock()
	time.Sleep(delay)
	if f.dead.Load() && kind%2 == 0 {
		return nil, errAway // the process died before it sent the bulk
	}
	switch kind {
	case 0: // no event arrives
		return nil, errAway
	case 1: // it hangs
		<-ctx.Done()
		return nil, ctx.Err()
	case 2: // all events arrive, the answer does not
		_, _ = f.to.PublishBulk(ctx, topic, shuffled)
		return nil, errAway
	case 3: // some events arrive, and the answer says which
		failed := map[string]error{}
		for _, m := range shuffled[cut:] {
			failed[m.EventID] = errAway
		}
		_, err := f.to.PublishBulk(ctx, topic, shuffled[:cut])
		return failed, err
	case 4: // some events arrive, the answer does not
		_, _ = f.to.PublishBulk(ctx, topic, shuffled[:cut])
		return nil, errAway
	}
	return f.to.PublishBulk(ctx, topic, shuffled)
}

// fill commits n events of many keys and tasks.
func fill(w *world, n int) {
	w.t.Helper()
	const chunk = 1000
	for start := 0; start < n; start += chunk {
		err := w.box.InTx(context.Background(), func(tx *outbox.Tx) error {
			for i := start; i < min(start+chunk, n); i++ {
				key := fmt.Sprint("user-", i%997)
				tx.Add(event("tasks", key, fmt.Sprint(key, "/task-", i%7), i))
			}
			return nil
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
}
