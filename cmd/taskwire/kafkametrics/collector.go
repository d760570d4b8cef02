package kafkametrics

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/taskwire/taskwire/cmd/taskwire/consumers"
	"github.com/taskwire/taskwire/pkg/events"
)

// scrapeTimeout is below Prometheus' own 10 s, so that Prometheus gets the answer that the broker does not respond.
const scrapeTimeout = 8 * time.Second

var (
	up = prometheus.NewDesc("taskwire_kafka_up", "1 when the broker answered this scrape.", nil, nil)

	lag = prometheus.NewDesc("taskwire_kafka_consumer_lag",
		"Records of a topic that a consumer group has still to acknowledge; all of them while a consumer of Taskwire has never joined.", []string{"group", "topic"}, nil)
	members = prometheus.NewDesc("taskwire_kafka_consumer_members", "Members of a consumer group; 0 while it does not exist.", []string{"group"}, nil)
	kept    = prometheus.NewDesc("taskwire_kafka_dead_letters", "Dead letters that the topic contains.", []string{"topic"}, nil)
	written = prometheus.NewDesc("taskwire_kafka_dead_letters_total", "Dead letters ever written to the topic.", []string{"topic"}, nil)
	missing = prometheus.NewDesc("taskwire_kafka_under_replicated_partitions",
		"Partitions of a topic with a replica that is not in sync.", []string{"topic"}, nil)
)

// Collector collects the metrics of one Kafka cluster.
type Collector struct {
	admin     *kadm.Client
	consumers *consumers.Client
	log       *slog.Logger
}

// New returns a collector for the cluster of client.
func New(client *kgo.Client, log *slog.Logger) *Collector {
	return &Collector{admin: kadm.NewClient(client), consumers: consumers.New(client), log: log}
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
		c.log.Warn("the broker does not answer", "error", err.Error())
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

// groups returns the lag and the members of each consumer group: first those of the consumers, which have a series even
// while the broker knows nothing of them, and then the others that the broker knows.
func (c *Collector) groups(ctx context.Context) (found []prometheus.Metric, err error) {
	member := func(group string, n int) {
		found = append(found, prometheus.MustNewConstMetric(members, prometheus.GaugeValue, float64(n), group))
	}
	behind := func(group, topic string, n int64) {
		found = append(found, prometheus.MustNewConstMetric(lag, prometheus.GaugeValue, float64(n), group, topic))
	}
	expected, err := c.consumers.Lags(ctx)
	if err != nil {
		return nil, err
	}
	described := map[string]bool{} // a group with two topics has its members once
	for _, l := range expected {
		if !described[l.Group] {
			member(l.Group, l.Members)
		}
		described[l.Group] = true
		behind(l.Group, l.Topic, l.Lag)
	}
	others, err := c.admin.Lag(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask for the lag of the groups: %w", err)
	}
	for _, g := range others {
		if described[g.Group] {
			continue
		}
		if err := g.Error(); err != nil {
			return nil, fmt.Errorf("ask for the lag of group %s: %w", g.Group, err)
		}
		member(g.Group, len(g.Members))
		for _, t := range g.Lag.TotalByTopic().Sorted() {
			behind(g.Group, t.Topic, t.Lag)
		}
	}
	return found, nil
}

// topics returns the dead letters and the missing replicas of each topic.
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
			continue // the topic does not exist yet
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
