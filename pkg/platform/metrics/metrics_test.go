package metrics

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func counter() prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Name: "requests_total", Help: "Requests."})
}

func TestTheSameMetricIsRegisteredOnce(t *testing.T) {
	r, first := prometheus.NewRegistry(), counter()
	if got := Register(r, first); got != first {
		t.Error("first: got another collector")
	}
	if got := Register(r, counter()); got != first {
		t.Error("again: got another collector than the first")
	}
	if got := Register(nil, first); got != first {
		t.Error("without a registerer: got another collector")
	}
}

func TestTwoMetricsWithOneNameAreAMistake(t *testing.T) {
	r := prometheus.NewRegistry()
	Register(r, counter())
	defer func() {
		if recover() == nil {
			t.Error("got no panic")
		}
	}()
	Register(r, prometheus.NewGauge(prometheus.GaugeOpts{Name: "requests_total", Help: "Other."}))
}
