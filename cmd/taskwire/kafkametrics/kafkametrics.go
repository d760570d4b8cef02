// Package kafkametrics tells Prometheus what only the broker knows: how far behind each consumer group is, also one
// whose process is gone, how many dead letters there are, and which partitions lack a replica.
//
// It promises that a scrape asks the broker once, ends within its timeout, and says with taskwire_kafka_up 0 that the
// broker did not answer, instead of repeating what it knew.
package kafkametrics

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/taskwire/taskwire/local/kafkaconn"
	"github.com/taskwire/taskwire/pkg/events"
)

const (
	// scrapeTimeout is below Prometheus' own 10 s, so that it hears that the broker is away.
	scrapeTimeout = 8 * time.Second
	// shutdownTimeout lets a scrape end.
	shutdownTimeout = 2 * time.Second
	// headerTimeout: a client that connects and says nothing does not keep its connection.
	headerTimeout = 5 * time.Second
)

var (
	up = prometheus.NewDesc("taskwire_kafka_up", "1 when the broker answered this scrape.", nil, nil)

	lag = prometheus.NewDesc("taskwire_kafka_consumer_lag",
		"Records of a topic that a consumer group has still to acknowledge.", []string{"group", "topic"}, nil)
	members = prometheus.NewDesc("taskwire_kafka_consumer_members", "Members of a consumer group.", []string{"group"}, nil)
	kept    = prometheus.NewDesc("taskwire_kafka_dead_letters", "Dead letters that the topic keeps.", []string{"topic"}, nil)
	written = prometheus.NewDesc("taskwire_kafka_dead_letters_total", "Dead letters ever written to the topic.", []string{"topic"}, nil)
	missing = prometheus.NewDesc("taskwire_kafka_under_replicated_partitions",
		"Partitions of a topic with a replica that is not in sync.", []string{"topic"}, nil)
)

// Collector asks one cluster.
type Collector struct {
	admin *kadm.Client
	log   *slog.Logger
}

// New collects from the brokers that client knows.
func New(client *kgo.Client, log *slog.Logger) *Collector {
	return &Collector{admin: kadm.NewClient(client), log: log}
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{up, lag, members, kept, written, missing} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	found, err := c.collect(ctx)
	if err != nil {
		c.log.Warn("the broker cannot be asked", "error", err.Error())
		ch <- prometheus.MustNewConstMetric(up, prometheus.GaugeValue, 0)
		return
	}
	ch <- prometheus.MustNewConstMetric(up, prometheus.GaugeValue, 1)
	for _, m := range found {
		ch <- m
	}
}

func (c *Collector) collect(ctx context.Context) ([]prometheus.Metric, error) {
	groups, err := c.groups(ctx)
	if err != nil {
		return nil, err
	}
	topics, err := c.topics(ctx)
	return append(groups, topics...), err
}

func (c *Collector) groups(ctx context.Context) (found []prometheus.Metric, err error) {
	lags, err := c.admin.Lag(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask for the lag of the groups: %w", err)
	}
	for _, g := range lags {
		if err := g.Error(); err != nil {
			return nil, fmt.Errorf("ask for the lag of group %s: %w", g.Group, err)
		}
		found = append(found, prometheus.MustNewConstMetric(members, prometheus.GaugeValue, float64(len(g.Members)), g.Group))
		for _, t := range g.Lag.TotalByTopic().Sorted() {
			found = append(found, prometheus.MustNewConstMetric(lag, prometheus.GaugeValue, float64(t.Lag), g.Group, t.Topic))
		}
	}
	return found, nil
}

func (c *Collector) topics(ctx context.Context) (found []prometheus.Metric, err error) {
	var names, letters []string
	for _, t := range events.Topics() {
		names = append(names, t.Name)
		if events.IsDeadLetterTopic(t.Name) {
			letters = append(letters, t.Name)
		}
	}
	details, err := c.admin.ListTopics(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("ask for the topics: %w", err)
	}
	for _, t := range details.Sorted() {
		if t.Err != nil {
			continue // not made yet: it has nothing to count
		}
		n := 0
		for _, p := range t.Partitions {
			if len(p.ISR) < len(p.Replicas) {
				n++
			}
		}
		found = append(found, prometheus.MustNewConstMetric(missing, prometheus.GaugeValue, float64(n), t.Topic))
	}
	starts, err := c.admin.ListStartOffsets(ctx, letters...)
	if err != nil {
		return nil, fmt.Errorf("ask for the dead letters: %w", err)
	}
	ends, err := c.admin.ListEndOffsets(ctx, letters...)
	if err != nil {
		return nil, fmt.Errorf("ask for the dead letters: %w", err)
	}
	sum := func(of kadm.ListedOffsets, topic string) (n int64) {
		for _, o := range of[topic] {
			if o.Err == nil {
				n += o.Offset
			}
		}
		return n
	}
	for _, topic := range letters {
		if known, ok := details[topic]; !ok || known.Err != nil {
			continue
		}
		start, end := sum(starts, topic), sum(ends, topic)
		found = append(found,
			prometheus.MustNewConstMetric(kept, prometheus.GaugeValue, float64(end-start), topic),
			prometheus.MustNewConstMetric(written, prometheus.CounterValue, float64(end), topic))
	}
	return found, nil
}

// Config says whom to ask and where to tell it.
type Config struct {
	Brokers string // host:port, with commas between
	Addr    string // to listen on
	Log     *slog.Logger
}

// Run serves GET /metrics until ctx is done. ready, if not nil, is told the address.
func Run(ctx context.Context, cfg Config, ready func(addr string)) error {
	client, err := kafkaconn.Client(cfg.Brokers)
	if err != nil {
		return err
	}
	defer client.Close()
	registry := prometheus.NewRegistry()
	registry.MustRegister(New(client, cfg.Log))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.Addr)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	cfg.Log.Info("listening", "addr", listener.Addr().String(), "brokers", cfg.Brokers)
	if ready != nil {
		ready(listener.Addr().String())
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: headerTimeout}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		return err
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
