package socket

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/taskwire/taskwire/pkg/events/live"
)

type metrics struct {
	conns  prometheus.Gauge
	closes *prometheus.CounterVec

	commitToSocket prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer) metrics {
	m := metrics{
		conns: prometheus.NewGauge(prometheus.GaugeOpts{Name: "websocket_connections", Help: "Open connections."}),
		closes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "websocket_closes_total", Help: "Connections that the service closed, by code: slow, token_expired, …",
		}, []string{"code"}),
		commitToSocket: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "websocket_commit_to_socket_seconds",
			Help:    "From the making of an event, in the transaction of its change, to its write to an open connection; one for each connection.",
			Buckets: []float64{.0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}),
	}
	reg.MustRegister(m.conns, m.closes, m.commitToSocket)
	for code := range live.Codes {
		m.closes.WithLabelValues(code.String()) // start at 0: a rate needs a first point
	}
	return m
}
