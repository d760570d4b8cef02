package outbox_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime/metrics"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"gorm.io/gorm"

	"github.com/taskwire/taskwire/pkg/platform/outbox"
	"github.com/taskwire/taskwire/pkg/platform/postgres"
)

// actAsRelay makes the test binary a replica's process: a relay on the database at this address.
const actAsRelay = "OUTBOX_TEST_RELAY"

// tableBroker keeps what is published in a table, which outlives the relay's process: its order is that of the broker.
type tableBroker struct{ pool *pgxpool.Pool }

const sinkTable = `
	CREATE TABLE sink (at bigint GENERATED ALWAYS AS IDENTITY, event_id uuid NOT NULL, topic text NOT NULL, key text NOT NULL, subject text NOT NULL, n bigint NOT NULL, relay int NOT NULL);
	CREATE TABLE peak (relay int PRIMARY KEY, heap bigint NOT NULL);
	GRANT ALL ON sink, peak TO tasks_app`

func (b tableBroker) PublishBulk(ctx context.Context, topic string, msgs []outbox.Message) (map[string]error, error) {
	ids, keys, subjects, ns := make([]string, len(msgs)), make([]string, len(msgs)), make([]string, len(msgs)), make([]int, len(msgs))
	for i, m := range msgs {
		ids[i], keys[i], subjects[i], ns[i] = m.EventID, m.Key, m.Subject, number(m)
	}
	_, err := b.pool.Exec(ctx, `INSERT INTO sink (event_id, topic, key, subject, n, relay)
		SELECT event_id, $1, key, subject, n, $2 FROM unnest($3::uuid[], $4::text[], $5::text[], $6::bigint[])
			WITH ORDINALITY AS m (event_id, key, subject, n, o) ORDER BY o`, topic, os.Getpid(), ids, keys, subjects, ns)
	return nil, err
}

// relayProcess relays until it is killed, and notes the most that its heap held.
func relayProcess(url string) {
	fail := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, "relay:", err)
			os.Exit(1)
		}
	}
	ctx := context.Background()
	db, err := postgres.Open(ctx, postgres.Config{URL: url})
	fail(err)
	pool, err := pgxpool.New(ctx, url)
	fail(err)
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	r, err := outbox.NewRelay(outbox.RelayConfig{DB: db, Outbox: outbox.New(db, log), Publisher: tableBroker{pool}, Log: log, Registerer: prometheus.NewRegistry()})
	fail(err)
	go func() {
		sample, most := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}, uint64(0)
		for ; ; time.Sleep(20 * time.Millisecond) {
			metrics.Read(sample)
			if now := sample[0].Value.Uint64(); now > most+most/20 {
				most = now
				_, err := pool.Exec(ctx, `INSERT INTO peak VALUES ($1, $2) ON CONFLICT (relay) DO UPDATE SET heap = $2`, os.Getpid(), int64(most))
				fail(err)
			}
		}
	}()
	fail(r.Run(ctx))
}

// startRelay starts a replica as a process of its own.
func (w *world) startRelay() *exec.Cmd {
	w.t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), actAsRelay+"="+w.db.AppURL)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd
}

const (
	scaleBacklog = 100_000
	scaleKeys    = 997
	scaleBody    = 1000 // bytes an event: the backlog is 100 MB
	// scaleHeap is what a replica's heap may hold: 4 workers with 8 MiB of rows at most, as much again for what is not
	// collected yet, and the drivers. It does not depend on the backlog.
	scaleHeap = 64 << 20
)

// TestABacklogOfAHundredThousandDrainsWhileWritesGoOn: two replicas, each a process, of which one is killed in the
// middle; writers that go on; a transaction that took its place before all others and commits late. Nothing is lost,
// each key's events are first published in the order of their commits, a repetition has the same event_id, and the
// memory of the replicas does not grow with the backlog.
func TestABacklogOfAHundredThousandDrainsWhileWritesGoOn(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	w := newWorld(t)
	w.admin(sinkTable)
	w.admin("INSERT INTO account (key) SELECT 'user-' || i FROM generate_series(0, $1::int - 1) i", scaleKeys)
	late := w.openLate()
	w.fillLarge()

	killed := w.startRelay()
	w.startRelay()
	sunk := func() int { return w.count("SELECT count(*) FROM sink") }
	stop, written := w.writeOn(4)
	w.waitFor("both replicas publish", func() bool { return w.count("SELECT count(DISTINCT relay) FROM sink") == 2 })
	w.waitFor("a third is published", func() bool { return sunk() > scaleBacklog/3 })
	if err := killed.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = killed.Wait() // it says that it was killed
	atKill := sunk()
	w.waitFor("two thirds are published", func() bool { return sunk() > scaleBacklog*2/3 })
	if err := late.Commit().Error; err != nil {
		t.Fatal(err)
	}
	stop()
	w.waitFor("an empty outbox", func() bool { return w.waiting() == 0 })

	total := scaleBacklog + written() + 1
	all, distinct := sunk(), w.count("SELECT count(DISTINCT event_id) FROM sink")
	if distinct != total {
		t.Errorf("published %d different events, want %d", distinct, total)
	}
	if n := w.count("SELECT count(*) FROM sink WHERE key = 'late'"); n == 0 {
		t.Error("the event of the late commit was not published")
	}
	if n := w.count(`SELECT count(*) FROM (
			SELECT n, lag(n) OVER (PARTITION BY topic, key ORDER BY at) AS before
			FROM (SELECT DISTINCT ON (event_id) event_id, topic, key, n, at FROM sink ORDER BY event_id, at) AS firsts
		) AS s WHERE n <= before`); n != 0 {
		t.Errorf("%d events came after a later one of their key", n)
	}
	if heap := w.count("SELECT max(heap) FROM peak"); heap > scaleHeap {
		t.Errorf("a replica's heap held %d MiB of a backlog of %d MiB, want at most %d MiB", heap>>20, scaleBacklog*scaleBody>>20, scaleHeap>>20)
	}
	t.Logf("%d events, %d of them written meanwhile; one killed after %d; %d repetitions; heap at most %d MiB",
		total, written(), atKill, all-distinct, w.count("SELECT max(heap) FROM peak")>>20)
}

// fillLarge makes the backlog: large events, whose number grows within each key.
func (w *world) fillLarge() {
	w.t.Helper()
	pad := strings.Repeat("x", scaleBody-20)
	for start := 0; start < scaleBacklog; start += 1000 {
		err := w.box.InTx(w.t.Context(), func(tx *outbox.Tx) error {
			for i := start; i < start+1000; i++ {
				m := event("tasks", fmt.Sprint("user-", i%scaleKeys), fmt.Sprint("task-", i%7), i)
				m.Data = fmt.Appendf(nil, `{"n":%d,"pad":%q}`, i, pad)
				tx.Add(m)
			}
			return nil
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
}

// openLate inserts an event, whose id is then the lowest of all, and leaves the commit to the caller.
func (w *world) openLate() *gorm.DB {
	w.t.Helper()
	tx := w.db.Gorm.Begin()
	w.t.Cleanup(func() { tx.Rollback() }) // no effect after the commit
	for _, sql := range []string{"SET LOCAL idle_in_transaction_session_timeout = 0", insertLate} {
		if err := tx.Exec(sql).Error; err != nil {
			w.t.Fatal(err)
		}
	}
	return tx
}

const insertLate = `INSERT INTO outbox (bucket, topic, key, event_id, type, subject, trace_parent, data)
	VALUES (7, 'tasks', 'late', gen_random_uuid(), 'created', 'late', '', '{"n":1}')`

// writeOn changes random keys by n writers until stop.
func (w *world) writeOn(n int) (stop func(), written func() int) {
	ctx, cancel := context.WithCancel(context.Background())
	counts := make([]int, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			for ctx.Err() == nil {
				key := fmt.Sprint("user-", rand.IntN(scaleKeys))
				err := w.box.InTx(context.Background(), func(tx *outbox.Tx) error {
					seq, err := lockKey(tx.DB, key)
					tx.Add(event("tasks", key, fmt.Sprint("task-", rand.IntN(7)), scaleBacklog+seq))
					return err
				})
				if err != nil {
					w.t.Errorf("InTx: %v", err)
					return
				}
				counts[i]++
				time.Sleep(time.Millisecond) // some thousand a second at most: the machine is the relays'
			}
		})
	}
	stop = func() { cancel(); wg.Wait() }
	w.t.Cleanup(stop)
	return stop, func() (sum int) {
		for _, c := range counts {
			sum += c
		}
		return sum
	}
}

// TestALateCommitIsNotSkippedByARelayThatHasGoneOn: the relay has raised its floors far past it, were it not for its
// lock; and it has raised them, so that a read does not begin at the deleted rows.
func TestALateCommitIsNotSkippedByARelayThatHasGoneOn(t *testing.T) {
	w, b := newWorld(t), &broker{}
	late := w.openLate()
	w.run(w.relay(b))
	for i := range 12 { // over several of the relay's looks
		fill(w, 500)
		want := (i + 1) * 500
		w.waitFor("the others", func() bool { return len(b.published()) >= want })
		time.Sleep(100 * time.Millisecond)
	}
	if err := late.Commit().Error; err != nil {
		t.Fatal(err)
	}
	w.waitFor("the late one", func() bool { return len(b.firsts("tasks", "late")) == 1 && w.waiting() == 0 })
	// And what comes later is still found.
	w.add(event("tasks", "late", "late-2", 2))
	w.waitFor("a later one", func() bool { return len(b.firsts("tasks", "late-2")) == 1 })
}

// TestASequenceThatIsSetBackLosesNothing: as after a failover to a server that had not heard of the last numbers.
func TestASequenceThatIsSetBackLosesNothing(t *testing.T) {
	w, b := newWorld(t), &broker{}
	w.run(w.relay(b))
	fill(w, 2000)
	w.waitFor("all", func() bool { return w.waiting() == 0 })
	time.Sleep(time.Second) // the floors are at the last number
	w.admin("SELECT setval('outbox_id_seq', 5)")
	w.add(event("tasks", "ann", "task", 1))
	w.waitFor("one below the old floor", func() bool { return len(b.firsts("tasks", "task")) == 1 && w.waiting() == 0 })
}
