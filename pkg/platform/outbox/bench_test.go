package outbox_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/taskwire/taskwire/pkg/platform/outbox"
)

// nullBroker acknowledges everything.
type nullBroker struct{}

func (nullBroker) PublishBulk(context.Context, string, []outbox.Message) (map[string]error, error) {
	return nil, nil
}

const benchRows = 20_000

// BenchmarkRelay drains a backlog into a sink that costs nothing, in turn with a baseline: the same number of connections
// that only delete the same rows, 500 at a time. The ratio shows the cost of ordering, fetching and bookkeeping.
func BenchmarkRelay(b *testing.B) {
	w := newWorld(b)
	r, err := outbox.NewRelay(outbox.RelayConfig{
		DB: w.db.Gorm, Outbox: w.box, Publisher: nullBroker{}, Log: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
	})
	if err != nil {
		b.Fatal(err)
	}
	var relay, baseline time.Duration
	for b.Loop() {
		b.StopTimer()
		fill(w, benchRows)
		begin := time.Now()
		deleteAll(b, w, 4)
		baseline += time.Since(begin)
		fill(w, benchRows)
		b.StartTimer()
		begin = time.Now()
		ctx, cancel := context.WithCancel(b.Context())
		done := make(chan error, 1)
		go func() { done <- r.Run(ctx) }()
		for w.waiting() > 0 {
			time.Sleep(time.Millisecond)
		}
		relay += time.Since(begin)
		cancel()
		<-done
	}
	events := float64(b.N * benchRows)
	b.ReportMetric(events/relay.Seconds(), "events/s")
	b.ReportMetric(events/baseline.Seconds(), "baseline/s")
	b.ReportMetric(baseline.Seconds()/relay.Seconds(), "of-baseline")
}

// deleteAll empties the table through conns connections, each with its own buckets.
func deleteAll(b *testing.B, w *world, conns int) {
	b.Helper()
	var wg sync.WaitGroup
	for i := range conns {
		wg.Go(func() {
			conn, err := pgx.Connect(b.Context(), w.db.AppURL)
			if err != nil {
				b.Error(err)
				return
			}
			defer func() { _ = conn.Close(context.Background()) }()
			for {
				tag, err := conn.Exec(b.Context(), `DELETE FROM outbox WHERE (bucket, id) IN (
					SELECT bucket, id FROM outbox WHERE bucket % $1 = $2 LIMIT 500)`, conns, i)
				if err != nil {
					b.Error(err)
				}
				if err != nil || tag.RowsAffected() == 0 {
					return
				}
			}
		})
	}
	wg.Wait()
}

// BenchmarkInTx measures a transaction like a create of the task API: the user's row, the task, two events.
func BenchmarkInTx(b *testing.B) {
	w := newWorld(b)
	w.admin("CREATE TABLE task (id uuid PRIMARY KEY, data text NOT NULL); GRANT ALL ON task TO tasks_app")
	for k := range 1000 {
		w.admin("INSERT INTO account (key) VALUES ($1)", fmt.Sprint("user-", k))
	}
	b.Run("events", func(b *testing.B) { benchInTx(b, w, 2) })
	b.Run("none", func(b *testing.B) { benchInTx(b, w, 0) })
}

func benchInTx(b *testing.B, w *world, events int) {
	b.SetParallelism(16) // times GOMAXPROCS
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			key := fmt.Sprint("user-", i%1000)
			err := w.box.InTx(b.Context(), func(tx *outbox.Tx) error {
				if _, err := lockKey(tx.DB, key); err != nil {
					return err
				}
				for range events {
					tx.Add(event("tasks", key, "task", i))
				}
				return tx.Exec("INSERT INTO task (id, data) VALUES (gen_random_uuid(), 'x')").Error
			})
			if err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tx/s")
}
