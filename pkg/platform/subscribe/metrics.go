package subscribe

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// outcome is how a delivery ended, as metrics and log lines call it.
type outcome string

const (
	outcomeSuccess      outcome = "success"
	outcomeSkipped      outcome = "skipped" // acknowledged: of a type that this version does not know
	outcomeDeadLettered outcome = "dead_lettered"
	outcomeRetry        outcome = "retry"
)

var outcomes = []outcome{outcomeSuccess, outcomeSkipped, outcomeDeadLettered, outcomeRetry}

type metrics struct {
	deliveries   *prometheus.CounterVec
	duration     *prometheus.HistogramVec
	age          *prometheus.HistogramVec
	unauthorized prometheus.Counter
}

func newMetrics(r prometheus.Registerer) *metrics {
	return &metrics{
		deliveries: register(r, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "subscribe_deliveries_total", Help: "Deliveries by topic, or input binding, and how they ended.",
		}, []string{"topic", "outcome"})),
		duration: register(r, prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "subscribe_delivery_duration_seconds", Help: "Time from a delivery to its answer.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 15},
		}, []string{"topic"})),
		age: register(r, prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "subscribe_event_age_seconds", Help: "Age of an event, from its making to the end of a delivery that took it.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200},
		}, []string{"topic"})),
		unauthorized: register(r, prometheus.NewCounter(prometheus.CounterOpts{
			Name: "subscribe_unauthorized_total", Help: "Requests without the app API token.",
		})),
	}
}

// prepare makes the series of a topic, so that the first dead letter is a change from 0 and raises its alert.
func (m *metrics) prepare(topic string) {
	for _, o := range outcomes {
		m.deliveries.WithLabelValues(topic, string(o))
	}
	m.duration.WithLabelValues(topic)
}

// aged notes how old an event was when it was taken. Another machine made it, whose clock may be ahead: that is no age.
func (m *metrics) aged(topic string, made, taken time.Time) {
	m.age.WithLabelValues(topic).Observe(max(0, taken.Sub(made).Seconds()))
}

func (m *metrics) observe(topic string, o outcome, took time.Duration) {
	m.deliveries.WithLabelValues(topic, string(o)).Inc()
	m.duration.WithLabelValues(topic).Observe(took.Seconds())
}

// register registers c, or returns the one that a server of the same process has registered before.
func register[T prometheus.Collector](r prometheus.Registerer, c T) T {
	if r == nil {
		return c
	}
	err := r.Register(c)
	var already prometheus.AlreadyRegisteredError
	if errors.As(err, &already) {
		if same, ok := already.ExistingCollector.(T); ok {
			return same
		}
	}
	if err != nil {
		panic(err) // two different metrics of one name: a mistake in the program
	}
	return c
}
