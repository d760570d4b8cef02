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

// actAsRelay is the variable that makes the test binary a replica's process: a relay on the database at its value.
const actAsRelay = "OUTBOX_TEST_RELAY"

// tableBroker writes published events to a table, which outlives the relay's process. Their order is that of column at.
type tableBroker struct{ pool *pgxpool.Pool }

const sinkTable = `
	CREATE TABLE sink (at bigint GENERATED ALWAYS AS IDENTITY, event_id uuid NOT NULL, topic text NOT NULL, key text NOT NULL, subject text NOT NULL, n bigint NOT NULL, relay int NOT NULL);
	CREATE TABLE peak (relay int PRIMARY KEY, heap bigint NOT NULL);
	GRANT ALL ON sink, peak TO tasks_app;
	GRANT SELECT ON SEQUENCE sink_at_seq TO tasks_app`

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

// relayProcess relays until it is killed, and records the largest size of its heap.
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

// startRelay starts a replica in its own process.
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
	// scaleHeap bounds a replica's heap: 4 workers with up to 8 MiB of rows, as much again that is not collected yet, and
	// the drivers. It does not depend on the backlog.
	scaleHeap = 64 << 20
)

// TestAHundredThousandEventsDrainDuringWrites runs two replicas, each a process, and kills one in the middle. Writers
// continue meanwhile, and a transaction that took the lowest id commits late. No event is lost; the first publications of
// a key are in commit order; a repetition has the same event_id; the memory of the replicas does not grow with the
// backlog.
func TestAHundredThousandEventsDrainDuringWrites(t *testing.T) {
	t.Parallel()
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
	// sunk is about the number of published events. Counting the rows at each poll would take the replicas' CPU time.
	sunk := func() int { return w.count("SELECT last_value FROM sink_at_seq") }
	stop, written := w.writeOn(4)
	w.waitFor("both replicas publish", func() bool { return w.count("SELECT count(DISTINCT relay) FROM sink") == 2 })
	w.waitFor("a third is published", func() bool { return sunk() > scaleBacklog/3 })
	if err := killed.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = killed.Wait() // its error is that it was killed
	atKill := sunk()
	w.waitFor("two thirds are published", func() bool { return sunk() > scaleBacklog*2/3 })
	if err := late.Commit().Error; err != nil {
		t.Fatal(err)
	}
	stop()
	w.waitFor("an empty outbox", func() bool { return w.count("SELECT count(*) FROM (SELECT FROM outbox LIMIT 1) AS first") == 0 })

	total := scaleBacklog + written() + 1
	all, distinct := w.count("SELECT count(*) FROM sink"), w.count("SELECT count(DISTINCT event_id) FROM sink")
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
		t.Errorf("%d events were first published after a later one of their key", n)
	}
	if heap := w.count("SELECT max(heap) FROM peak"); heap > scaleHeap {
		t.Errorf("a replica's heap held %d MiB of a backlog of %d MiB, want at most %d MiB", heap>>20, scaleBacklog*scaleBody>>20, scaleHeap>>20)
	}
	t.Logf("%d events, %d of them written meanwhile; one killed after %d; %d repetitions; heap at most %d MiB",
		total, written(), atKill, all-distinct, w.count("SELECT max(heap) FROM peak")>>20)
}

// fillLarge makes the backlog of large events. Their numbers ascend within each key.
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

// openLate inserts an event, which gets the lowest id of all, and leaves the commit to the caller.
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

// writeOn lets n writers change random keys until stop.
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
				time.Sleep(time.Millisecond) // at most some thousand a second, so that the relays get CPU time
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

// TestALateCommitIsNotBelowTheWatermark: without the lock of the open transaction, the relay would have advanced its
// watermarks past the late row.
func TestALateCommitIsNotBelowTheWatermark(t *testing.T) {
	t.Parallel()
	w, b := newWorld(t), &broker{}
	late := w.openLate()
	r := w.relay(b)
	w.run(r)
	// The relay makes several observations meanwhile.
	want := 0
	for begin := time.Now(); want == 0 || time.Since(begin) < 5*outbox.WatermarkInterval; {
		fill(w, 500)
		want += 500
		w.waitFor("the others", func() bool { return len(b.published()) >= want })
	}
	if low := r.LowestWatermark(); low != 0 {
		t.Errorf("a watermark is at %d, above the id of the open transaction", low)
	}
	if err := late.Commit().Error; err != nil {
		t.Fatal(err)
	}
	w.waitFor("the late event", func() bool { return len(b.firsts("tasks", "late")) == 1 && w.waiting() == 0 })
	// A later event is found too.
	w.add(event("tasks", "late", "late-2", 2))
	w.waitFor("a later event", func() bool { return len(b.firsts("tasks", "late-2")) == 1 })
}

// TestASequenceSetBackLosesNothing: the sequence is set back by a failover to a server that misses the last ids.
func TestASequenceSetBackLosesNothing(t *testing.T) {
	t.Parallel()
	w, b := newWorld(t), &broker{}
	r := w.relay(b)
	w.run(r)
	fill(w, 2000)
	w.waitFor("all", func() bool { return len(b.published()) == 2000 && w.waiting() == 0 })
	w.waitFor("the watermarks are at the last id", func() bool { return r.LowestWatermark() == 2000 })
	w.admin("SELECT setval('outbox_id_seq', 5)")
	w.add(event("tasks", "ann", "task", 1))
	w.waitFor("an event below the old watermark", func() bool { return len(b.firsts("tasks", "task")) == 1 && w.waiting() == 0 })
}
