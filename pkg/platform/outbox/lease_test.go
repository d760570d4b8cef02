package outbox_test

import (
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/taskwire/taskwire/pkg/platform/outbox"
	"github.com/taskwire/taskwire/testkit/pgtest"
)

// lockClass is the first half of the relays' advisory locks, as pg_locks shows it.
const lockClass = 0x74776f62

// holding returns the number of buckets that the relays with an application name hold.
func (w *world) holding(name string) int {
	return w.count(`SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)
		WHERE locktype = 'advisory' AND classid::bigint = ? AND objid::bigint < 64 AND granted AND application_name = ?
			AND datname = current_database()`, lockClass, name)
}

func named(name string) func(*outbox.RelayConfig) {
	return func(c *outbox.RelayConfig) { c.Name = name }
}

// ownBox gives a relay an outbox of its own, as another replica has. So no commit of the test wakes it.
func ownBox(w *world) func(*outbox.RelayConfig) {
	return func(c *outbox.RelayConfig) { c.Outbox = outbox.New(w.db.Gorm, slog.New(slog.DiscardHandler)) }
}

func TestReplicasShareTheBuckets(t *testing.T) {
	t.Parallel()
	w, b := newWorld(t), &broker{}
	stop := map[string]func(){}
	for i, want := range []map[string][2]int{
		{"one": {64, 64}},
		{"one": {32, 32}, "two": {32, 32}},
		{"one": {20, 22}, "two": {20, 22}, "three": {20, 22}},
	} {
		name := []string{"one", "two", "three"}[i]
		stop[name] = w.run(w.relay(b, named(name), ownBox(w)))
		w.waitFor(fmt.Sprint("shares ", want), func() bool { return shares(w, want) })
	}
	stop["two"]()
	w.waitFor("two shares", func() bool { return shares(w, map[string][2]int{"one": {32, 32}, "three": {32, 32}}) })
	stop["one"]()
	w.waitFor("one share", func() bool { return shares(w, map[string][2]int{"three": {64, 64}}) })
}

func shares(w *world, want map[string][2]int) bool {
	sum := 0
	for name, bounds := range want {
		n := w.holding(name)
		if n < bounds[0] || n > bounds[1] {
			return false
		}
		sum += n
	}
	return sum == 64
}

// TestABusyReplicaReleasesBuckets: a replica that is never idle must release buckets to a new one too.
func TestABusyReplicaReleasesBuckets(t *testing.T) {
	t.Parallel()
	w, b := newWorld(t), &broker{}
	var running atomic.Bool
	running.Store(true)
	defer running.Store(false)
	w.run(w.relay(b, named("one")))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; running.Load(); i++ {
			_ = w.box.InTx(t.Context(), func(tx *outbox.Tx) error {
				for k := range 64 {
					tx.Add(event("tasks", fmt.Sprint("user-", k), fmt.Sprint("task-", i), i))
				}
				return nil
			})
		}
	}()
	w.waitFor("events flow", func() bool { return len(b.published()) > 0 })
	w.run(w.relay(b, named("two"), ownBox(w)))
	w.waitFor("equal shares", func() bool { return shares(w, map[string][2]int{"one": {32, 32}, "two": {32, 32}}) })
	running.Store(false)
	<-done
	w.waitFor("an empty outbox", func() bool { return w.waiting() == 0 })
}

// TestBucketsInFlightAreReleasedLater: the buckets of a worker in a call stay with its relay, and the others move.
func TestBucketsInFlightAreReleasedLater(t *testing.T) {
	t.Parallel()
	w, b := newWorld(t), &broker{}
	begun, finish := make(chan struct{}), make(chan struct{})
	b.after = func(string, []outbox.Message) {
		close(begun)
		<-finish
	}
	w.add(event("tasks", "ann", "task", 1))
	w.run(w.relay(b, named("one")))
	<-begun
	w.run(w.relay(b, named("two"), ownBox(w)))
	w.waitFor("the new relay has some", func() bool { return w.holding("two") >= 16 })
	if got := len(b.published()); got != 1 {
		t.Errorf("published %d times while in flight, want once", got)
	}
	b.after = nil
	close(finish)
	w.waitFor("equal shares", func() bool { return shares(w, map[string][2]int{"one": {32, 32}, "two": {32, 32}}) })
	w.waitFor("an empty outbox", func() bool { return w.waiting() == 0 })
	if got := len(b.published()); got != 1 {
		t.Errorf("published %d times, want once", got)
	}
}

func TestALostSessionIsReplaced(t *testing.T) {
	t.Parallel()
	w, b := newWorld(t), &broker{}
	w.run(w.relay(b, named("one")))
	w.waitFor("the relay holds all", func() bool { return w.holding("one") == 64 })
	var before, after int
	pid := `SELECT pid FROM pg_locks JOIN pg_database ON pg_database.oid = database
		WHERE locktype = 'advisory' AND classid::bigint = ? AND objid = 64 AND datname = current_database()`
	before = w.count(pid, lockClass)
	w.admin("SELECT pg_terminate_backend($1, 10000)", before)
	w.waitFor("a new session holds all", func() bool {
		after = w.count(pid, lockClass)
		return after != 0 && after != before && w.holding("one") == 64
	})
	w.add(event("tasks", "ann", "task", 1))
	w.waitFor("publication", func() bool { return len(b.published()) == 1 })
}

// TestADeadReplicasBucketsAreTakenOver together with the events that it left.
func TestADeadReplicasBucketsAreTakenOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stuck, b := &broker{}, &broker{}
	stuck.set(failing(func(outbox.Message) error { return errAway }))
	stop := w.run(w.relay(stuck, named("one")))
	w.run(w.relay(b, named("two"), ownBox(w)))
	w.waitFor("equal shares", func() bool { return shares(w, map[string][2]int{"one": {32, 32}, "two": {32, 32}}) })
	for i := range 200 {
		w.add(event("tasks", fmt.Sprint("user-", i), "task", i))
	}
	w.waitFor("the part of the live relay", func() bool { return w.waiting() < 200 })
	// Its sessions end, as when its process is killed.
	stop()
	w.waitFor("all events", func() bool { return len(b.published()) == 200 && w.waiting() == 0 })
}

func TestTheRelayWaitsForADatabaseThatIsDown(t *testing.T) {
	t.Parallel()
	w, b := newWorld(t), &broker{}
	allow := func(yes bool) {
		conn, err := pgx.Connect(t.Context(), pgtest.ServerURL(t))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close(t.Context()) }()
		if _, err := conn.Exec(t.Context(), fmt.Sprintf("ALTER DATABASE %s WITH ALLOW_CONNECTIONS %v", w.db.Name, yes)); err != nil {
			t.Fatal(err)
		}
	}
	allow(false)
	stop := w.run(w.relay(b, func(c *outbox.RelayConfig) { c.PollInterval = time.Millisecond }))
	w.run(w.relay(b, named("other"), ownBox(w)))
	stop() // a relay without a database can be stopped
	allow(true)
	w.add(event("tasks", "ann", "task", 1))
	w.waitFor("publication", func() bool { return len(b.published()) == 1 })
}
