package outbox

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	measureInterval = 5 * time.Second
	// warnInterval bounds the log while a broker or database is away: one line in this time, not one for each attempt.
	warnInterval = 10 * time.Second
)

type metrics struct {
	backlog, oldest, parkedRows prometheus.Gauge
	published, parked           *prometheus.CounterVec
	publishSeconds              *prometheus.HistogramVec
	lastWarning                 atomic.Int64 // Unix nanoseconds
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		backlog: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "outbox_backlog", Help: "Events committed and not yet acknowledged by the broker, of all replicas."}),
		oldest: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "outbox_oldest_age_seconds", Help: "Age of the oldest event that is not yet acknowledged, of all replicas."}),
		parkedRows: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "outbox_parked", Help: "Events that the broker refused and a person must decide about."}),
		published: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "outbox_published_total", Help: "Events acknowledged by the broker."}, []string{"topic"}),
		parked: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "outbox_parked_total", Help: "Events parked because the broker refused them."}, []string{"topic"}),
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

// measure updates the gauges until ctx ends. While the database is away they keep their last values.
func (r *Relay) measure(ctx context.Context) {
	for ctx.Err() == nil {
		r.measureOnce(ctx)
		sleep(ctx, measureInterval)
	}
}

func (r *Relay) measureOnce(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	c, err := r.store.count(ctx)
	if err != nil {
		return
	}
	r.metrics.backlog.Set(float64(c.backlog))
	r.metrics.oldest.Set(c.oldest)
	r.metrics.parkedRows.Set(float64(c.parked))
}

// warn logs, at most once in warnInterval, that events wait and why.
func (r *Relay) warn(ctx context.Context, err error) {
	now, last := time.Now().UnixNano(), r.metrics.lastWarning.Load()
	if now-last < int64(warnInterval) || !r.metrics.lastWarning.CompareAndSwap(last, now) {
		return
	}
	r.cfg.Log.WarnContext(ctx, "events wait in the outbox: the relay tries again", "error", err.Error())
}
