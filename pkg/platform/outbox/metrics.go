package outbox

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	measureInterval = 5 * time.Second
	// complainInterval: a broker that is away is one line now and then, not one a try.
	complainInterval = 10 * time.Second
)

type metrics struct {
	backlog, oldest, parkedRows prometheus.Gauge
	published, parked           *prometheus.CounterVec
	publishSeconds              *prometheus.HistogramVec
	lastError                   atomic.Value // string
	lastComplaint               atomic.Int64 // Unix nanoseconds
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		backlog:    prometheus.NewGauge(prometheus.GaugeOpts{Name: "outbox_backlog", Help: "Events committed and not yet acknowledged by the broker."}),
		oldest:     prometheus.NewGauge(prometheus.GaugeOpts{Name: "outbox_oldest_age_seconds", Help: "Age of the oldest event that is not yet acknowledged."}),
		parkedRows: prometheus.NewGauge(prometheus.GaugeOpts{Name: "outbox_parked", Help: "Events that the broker refused and a person must decide about."}),
		published:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "outbox_published_total", Help: "Events acknowledged by the broker."}, []string{"topic"}),
		parked:     prometheus.NewCounterVec(prometheus.CounterOpts{Name: "outbox_parked_total", Help: "Events parked because the broker refused them."}, []string{"topic"}),
		publishSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "outbox_publish_seconds", Help: "Time of one bulk publish.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 14),
		}, []string{"topic"}),
	}
	for _, c := range []prometheus.Collector{m.backlog, m.oldest, m.parkedRows, m.published, m.parked, m.publishSeconds} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

const measureRows = `
	SELECT (SELECT count(*) FROM outbox),
		COALESCE(EXTRACT(epoch FROM now() - (SELECT created_at FROM outbox ORDER BY id LIMIT 1)), 0)::float8,
		(SELECT count(*) FROM outbox_parked)`

// measure keeps the gauges; a database that is away leaves them as they were.
func (r *Relay) measure(ctx context.Context) {
	for ctx.Err() == nil {
		var backlog, parked int64
		var oldest float64
		if err := r.cfg.DB.Statement.ConnPool.QueryRowContext(ctx, measureRows).Scan(&backlog, &oldest, &parked); err == nil {
			r.metrics.backlog.Set(float64(backlog))
			r.metrics.oldest.Set(oldest)
			r.metrics.parkedRows.Set(float64(parked))
		}
		pause(ctx, measureInterval)
	}
}

// complain says, at most every complainInterval, that events wait and why.
func (r *Relay) complain(ctx context.Context, err error, got result) {
	now, last := time.Now().UnixNano(), r.metrics.lastComplaint.Load()
	if now-last < int64(complainInterval) || !r.metrics.lastComplaint.CompareAndSwap(last, now) {
		return
	}
	reason, _ := r.metrics.lastError.Load().(string)
	if err != nil {
		reason = err.Error()
	}
	r.cfg.Log.WarnContext(ctx, "events wait in the outbox: the relay tries again", "failed", got.failed, "error", reason)
}
