package hub

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/taskwire/taskwire/services/websocket/internal/wire"
)

// Metrics are the hub's. "Silent" trouble shows here: missed counts deliveries that only a sweep noticed.
type Metrics struct {
	users               prometheus.Gauge
	events, unsequenced prometheus.Counter
	reads, readFailures prometheus.Counter
	replayed, missed    prometheus.Counter
	resyncs             *prometheus.CounterVec
}

// NewMetrics makes and registers them.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
		reg.MustRegister(c)
		return c
	}
	m := &Metrics{
		users:        prometheus.NewGauge(prometheus.GaugeOpts{Name: "websocket_users", Help: "Users with at least one connection."}),
		events:       counter("websocket_events_delivered_total", "Events queued for connections, one for each connection."),
		unsequenced:  counter("websocket_notifications_delivered_total", "Notifications queued for connections, one for each connection."),
		reads:        counter("websocket_replays_total", "Reads of changes from the task API."),
		readFailures: counter("websocket_replay_failures_total", "Reads from the task API that failed; each is tried again."),
		replayed:     counter("websocket_replayed_events_total", "Events that reads brought."),
		missed:       counter("websocket_sweep_missed_total", "Users for whom a sweep found events that did not arrive."),
		resyncs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "websocket_resyncs_total", Help: "Connections that were told to read by themselves, by reason.",
		}, []string{"reason"}),
	}
	reg.MustRegister(m.users, m.resyncs)
	for _, reason := range wire.Reasons {
		m.resyncs.WithLabelValues(reason) // 0 from the start: a rate needs a first point
	}
	return m
}
