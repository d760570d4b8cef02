package kafkametrics

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/taskwire/taskwire/local/kafkaconn"
	"github.com/taskwire/taskwire/pkg/events"
)

// serve runs the exporter and returns a function that reads its metrics.
func serve(t *testing.T, brokers string) func() string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- Run(ctx, Config{Kafka: kafkaconn.Settings{Brokers: brokers}, Addr: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler)}, func(a string) { ready <- a })
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	addr := <-ready
	return func() string {
		resp, err := http.Get("http://" + addr + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("GET /metrics: %d, %v: %s", resp.StatusCode, err, body)
		}
		return string(body)
	}
}

func wants(t *testing.T, got string, lines ...string) {
	t.Helper()
	for _, l := range lines {
		if !strings.Contains(got, l+"\n") {
			t.Errorf("metrics lack %q:\n%s", l, got)
		}
	}
}

func TestLagAndDeadLettersAreTheBrokers(t *testing.T) {
	t.Parallel()
	dlq := events.DeadLetterTopic(events.TopicReminders)
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, events.TopicTaskEvents), kfake.SeedTopics(1, dlq))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	brokers := strings.Join(cluster.ListenAddrs(), ",")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers), kgo.ConsumerGroup("audit"), kgo.ConsumeTopics(events.TopicTaskEvents),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit(), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	produce := func(topic string, partition int32, n int) {
		for range n {
			if err := client.ProduceSync(ctx, &kgo.Record{Topic: topic, Partition: partition, Value: []byte("x")}).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}
	produce(events.TopicTaskEvents, 0, 5)
	produce(events.TopicTaskEvents, 1, 2)
	produce(dlq, 0, 3)
	taken := 0
	for taken < 7 {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("took %d of 7 records", taken)
		}
		taken += fetches.NumRecords()
	}
	metrics := serve(t, brokers)
	wants(t, metrics(), "taskwire_kafka_up 1",
		`taskwire_kafka_consumer_lag{group="audit",topic="task-events"} 7`, `taskwire_kafka_consumer_members{group="audit"} 1`,
		`taskwire_kafka_dead_letters{topic="reminders.dlq"} 3`, `taskwire_kafka_dead_letters_total{topic="reminders.dlq"} 3`,
		`taskwire_kafka_under_replicated_partitions{topic="task-events"} 0`)
	if err := client.CommitUncommittedOffsets(ctx); err != nil {
		t.Fatal(err)
	}
	produce(events.TopicTaskEvents, 1, 1)
	wants(t, metrics(), `taskwire_kafka_consumer_lag{group="audit",topic="task-events"} 1`)
}

// A new installation whose consumers have not started is like one whose offsets have expired: the broker knows no group.
func TestAGroupThatNeverJoinedHasItsSeries(t *testing.T) {
	t.Parallel()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, events.TopicTaskEvents), kfake.SeedTopics(1, events.TopicReminders))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for range 3 {
		if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: events.TopicTaskEvents, Value: []byte("x")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	got := serve(t, strings.Join(cluster.ListenAddrs(), ","))()
	wants(t, got,
		`taskwire_kafka_consumer_lag{group="audit",topic="task-events"} 3`, `taskwire_kafka_consumer_members{group="audit"} 0`,
		`taskwire_kafka_consumer_lag{group="recurring-task",topic="task-events"} 3`, `taskwire_kafka_consumer_members{group="recurring-task"} 0`,
		`taskwire_kafka_consumer_lag{group="notification",topic="reminders"} 0`, `taskwire_kafka_consumer_members{group="notification"} 0`)
}

// An alert must not be computed from values that are no longer true.
func TestAnUnreachableBrokerIsReportedWithoutOldValues(t *testing.T) {
	t.Parallel()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, events.TopicTaskEvents))
	if err != nil {
		t.Fatal(err)
	}
	metrics := serve(t, strings.Join(cluster.ListenAddrs(), ","))
	wants(t, metrics(), "taskwire_kafka_up 1")
	cluster.Close()
	got := metrics()
	wants(t, got, "taskwire_kafka_up 0")
	if strings.Contains(got, "partitions{") {
		t.Errorf("metrics of an unreachable broker:\n%s", got)
	}
}
