package revocation

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/taskwire/taskwire/pkg/platform/auth"
)

var (
	ageDesc     = prometheus.NewDesc("revocations_age_seconds", "Time since the last complete load of the ended sessions.", nil, nil)
	entriesDesc = prometheus.NewDesc("revocations_entries", "Entries in the set of what was revoked, by kind.", []string{"kind"}, nil)
	evictedDesc = prometheus.NewDesc("revocations_evicted_total", "Entries that were evicted because their kind was full. Older access tokens are then refused.", nil, nil)
)

// register registers the metrics of the feed and of its set.
func (f *Feed) register(reg prometheus.Registerer) {
	f.failures = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "revocations_load_failures_total", Help: "Failed loads of the ended sessions; the next one follows within seconds.",
	})
	reg.MustRegister(f.failures, collector{f})
}

// collector reads the other metrics when they are asked for.
type collector struct{ *Feed }

// Describe implements prometheus.Collector.
func (collector) Describe(out chan<- *prometheus.Desc) {
	out <- ageDesc
	out <- entriesDesc
	out <- evictedDesc
}

// Collect implements prometheus.Collector.
func (c collector) Collect(out chan<- prometheus.Metric) {
	age := c.now().Sub(time.Unix(0, c.loaded.Load()))
	stats := c.set.Stats()
	out <- prometheus.MustNewConstMetric(ageDesc, prometheus.GaugeValue, max(0, age.Seconds()))
	out <- prometheus.MustNewConstMetric(evictedDesc, prometheus.CounterValue, float64(stats.Evicted))
	for _, kind := range auth.RevocationKinds {
		out <- prometheus.MustNewConstMetric(entriesDesc, prometheus.GaugeValue, float64(stats.Entries[kind]), string(kind))
	}
}
