package outbox_test

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/taskwire/taskwire/pkg/platform/outbox"
)

// countingBroker acknowledges everything and counts it.
type countingBroker struct{ n atomic.Int64 }

func (c *countingBroker) PublishBulk(_ context.Context, _ string, msgs []outbox.Message) (map[string]error, error) {
	c.n.Add(int64(len(msgs)))
	return nil, nil
}

const (
	// pinDefault is long enough for some hundred thousand dead rows, and short enough for `make bench`. With a longer
	// OUTBOX_PIN, such as 60s, -benchtime=1x is one round.
	pinDefault = 6 * time.Second
	pinRounds  = 3
	pinBatch   = 2000 // events between two looks at the clock
)

// BenchmarkPinnedSnapshot relays while another transaction holds a snapshot, in turn with the same without it. While the
// snapshot is held no deleted row can be removed, so a read that walks over deleted rows becomes slower with every event.
// of-unpinned is the median of the rounds' ratios. late-of-unpinned is that of the last quarter of each run, which has
// the most dead rows.
func BenchmarkPinnedSnapshot(b *testing.B) {
	pin := pinDefault
	if s := os.Getenv("OUTBOX_PIN"); s != "" {
		var err error
		if pin, err = time.ParseDuration(s); err != nil {
			b.Fatal(err)
		}
	}
	rounds := pinRounds
	if pin > 2*pinDefault {
		rounds = 1
	}
	w := newWorld(b)
	var whole, late []float64
	for b.Loop() {
		for range rounds {
			free, freeLate := w.churn(pin, false)
			held, heldLate := w.churn(pin, true)
			whole, late = append(whole, held/free), append(late, heldLate/freeLate)
			b.Logf("free %.0f/s, at the end %.0f/s; pinned %.0f/s, at the end %.0f/s: %.2f, %.2f", free, freeLate, held, heldLate, held/free, heldLate/freeLate)
		}
	}
	slices.Sort(whole)
	slices.Sort(late)
	b.ReportMetric(whole[len(whole)/2], "of-unpinned")
	b.ReportMetric(late[len(late)/2], "late-of-unpinned")
}

// churn fills and drains the outbox for d. It returns the events per second, of the whole time and of the last quarter.
func (w *world) churn(d time.Duration, pinned bool) (rate, late float64) {
	w.t.Helper()
	w.admin("VACUUM outbox")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if pinned {
		defer w.pin(ctx)()
	}
	sink := &countingBroker{}
	r, err := outbox.NewRelay(outbox.RelayConfig{
		DB: w.db.Gorm, Outbox: w.box, Publisher: sink, Log: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	stop := w.run(r)
	defer stop()
	var events, lateEvents int64
	var took, lateTook time.Duration
	for begin := time.Now(); time.Since(begin) < d; {
		before := time.Now()
		fill(w, pinBatch)
		for events += pinBatch; sink.n.Load() < events; {
			time.Sleep(100 * time.Microsecond)
		}
		spent := time.Since(before)
		took += spent
		if time.Since(begin) > d*3/4 {
			lateEvents, lateTook = lateEvents+pinBatch, lateTook+spent
		}
	}
	return float64(events) / took.Seconds(), float64(lateEvents) / lateTook.Seconds()
}

// pin opens a transaction that holds a snapshot until end is called.
func (w *world) pin(ctx context.Context) (end func()) {
	w.t.Helper()
	conn, err := pgx.Connect(ctx, w.db.AdminURL)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, sql := range []string{"BEGIN ISOLATION LEVEL REPEATABLE READ", "SELECT count(*) FROM outbox_parked"} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			w.t.Fatal(err)
		}
	}
	return func() { _ = conn.Close(context.WithoutCancel(ctx)) }
}
