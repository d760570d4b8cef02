package subscribe

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	sharedmetrics "github.com/taskwire/taskwire/pkg/platform/metrics"
)

// outcome is how a delivery ended. It is a metric's label and a log attribute.
type outcome string

const (
	outcomeSuccess      outcome = "success"
	outcomeSkipped      outcome = "skipped" // acknowledged without a handler: this version does not know the type
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
		deliveries: sharedmetrics.Register(r, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "subscribe_deliveries_total", Help: "Deliveries by topic, or input binding, and how they ended.",
		}, []string{"topic", "outcome"})),
		duration: sharedmetrics.Register(r, prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "subscribe_delivery_duration_seconds", Help: "Time from a delivery to its answer.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 15},
		}, []string{"topic"})),
		age: sharedmetrics.Register(r, prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "subscribe_event_age_seconds", Help: "Age of an event at the end of its successful delivery.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200},
		}, []string{"topic"})),
		unauthorized: sharedmetrics.Register(r, prometheus.NewCounter(prometheus.CounterOpts{
			Name: "subscribe_unauthorized_total", Help: "Requests without the app API token.",
		})),
	}
}

// prepare creates the series of a topic with the value 0: then the first dead letter is a change, which raises its alert.
func (m *metrics) prepare(topic string) {
	for _, o := range outcomes {
		m.deliveries.WithLabelValues(topic, string(o))
	}
	m.duration.WithLabelValues(topic)
}

// observeAge records the age of an event that was handled. When the clock of the machine that made it is ahead, the age
// is 0.
func (m *metrics) observeAge(topic string, made, taken time.Time) {
	m.age.WithLabelValues(topic).Observe(max(0, taken.Sub(made).Seconds()))
}

func (m *metrics) observe(topic string, o outcome, took time.Duration) {
	m.deliveries.WithLabelValues(topic, string(o)).Inc()
	m.duration.WithLabelValues(topic).Observe(took.Seconds())
}
