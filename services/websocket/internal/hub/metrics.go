package hub

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/taskwire/taskwire/pkg/events/live"
)

// Metrics are the hub's metrics. missed shows lost deliveries: only a sweep notices them.
type Metrics struct {
	users               prometheus.Gauge
	events, unsequenced prometheus.Counter
	reads, readFailures prometheus.Counter
	replayed, missed    prometheus.Counter
	resyncs             *prometheus.CounterVec
}

// NewMetrics returns the hub's metrics, registered with reg.
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
		readFailures: counter("websocket_replay_failures_total", "Failed reads from the task API; each is retried."),
		replayed:     counter("websocket_replayed_events_total", "Events that reads returned."),
		missed:       counter("websocket_sweep_missed_total", "Users for whom a sweep found events that did not arrive."),
		resyncs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "websocket_resyncs_total", Help: "Resync frames sent to connections, by reason.",
		}, []string{"reason"}),
	}
	reg.MustRegister(m.users, m.resyncs)
	for _, reason := range live.Reasons {
		m.resyncs.WithLabelValues(string(reason)) // start at 0: a rate needs a first point
	}
	return m
}
