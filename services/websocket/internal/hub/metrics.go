package hub

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/taskwire/taskwire/pkg/events/live"
)

// Metrics are the hub's metrics. missed shows lost deliveries: only a sweep notices them.
type Metrics struct {
	users                                         prometheus.Gauge
	events, reads, readFailures, replayed, missed *prometheus.CounterVec // by stream
	resyncs                                       *prometheus.CounterVec // by stream and reason
}

// feedMetrics are the metrics of one stream.
type feedMetrics struct {
	events, reads, readFailures, replayed, missed prometheus.Counter
}

// NewMetrics returns the hub's metrics, registered with reg.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, append([]string{"stream"}, labels...))
		reg.MustRegister(c)
		return c
	}
	m := &Metrics{
		users:        prometheus.NewGauge(prometheus.GaugeOpts{Name: "websocket_users", Help: "Users with at least one connection."}),
		events:       counter("websocket_events_delivered_total", "Events queued for connections, one for each connection."),
		reads:        counter("websocket_replays_total", "Reads from the service that keeps the stream."),
		readFailures: counter("websocket_replay_failures_total", "Failed reads; each is retried."),
		replayed:     counter("websocket_replayed_events_total", "Events that reads returned."),
		missed:       counter("websocket_sweep_missed_total", "Users for whom a sweep found events that did not arrive."),
		resyncs:      counter("websocket_resyncs_total", "Resync frames sent to connections, by reason.", "reason"),
	}
	reg.MustRegister(m.users)
	for _, stream := range live.Streams {
		for _, reason := range live.Reasons {
			m.resyncs.WithLabelValues(string(stream), string(reason)) // start at 0: a rate needs a first point
		}
	}
	return m
}

// of returns the metrics of a stream. They start at 0.
func (m *Metrics) of(stream live.Stream) feedMetrics {
	of := func(c *prometheus.CounterVec) prometheus.Counter { return c.WithLabelValues(string(stream)) }
	return feedMetrics{of(m.events), of(m.reads), of(m.readFailures), of(m.replayed), of(m.missed)}
}
