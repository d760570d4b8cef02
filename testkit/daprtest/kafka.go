// The broker, and what tests ask of it.

package daprtest

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/taskwire/taskwire/local/broker"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Kafka is a broker with Taskwire's topics.
type Kafka struct {
	Addr   string
	client *kgo.Client
}

// NewKafka runs a broker until the test ends.
func NewKafka(t testing.TB) *Kafka {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan string, 1), make(chan error, 1)
	cfg := broker.Config{Addr: "127.0.0.1:0", DataDir: t.TempDir(), Topics: events.Topics(), NoSync: true,
		Log: slog.New(slog.NewTextHandler(logWriter{t}, nil))}
	go func() { done <- broker.Run(ctx, cfg, func(addr string) { ready <- addr }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("broker: %v", err)
		}
	})
	k := &Kafka{}
	select {
	case k.Addr = <-ready:
	case err := <-done:
		done <- nil
		t.Fatalf("broker: %v", err)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(k.Addr), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	k.client = client
	return k
}

type logWriter struct{ t testing.TB }

func (w logWriter) Write(b []byte) (int, error) {
	w.t.Log(strings.TrimRight(string(b), "\n"))
	return len(b), nil
}

// CloudEvent returns an event in the form in which daprd publishes it.
func CloudEvent(id string) []byte {
	raw, _ := json.Marshal(map[string]any{"specversion": "1.0", "id": id, "source": "test", "type": "test",
		"datacontenttype": "application/json", "data": map[string]any{"event_id": id}})
	return raw
}

// Produce writes records as they are.
func (k *Kafka) Produce(t testing.TB, records ...*kgo.Record) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for _, r := range records { // one by one, which keeps their order
		if err := k.client.ProduceSync(ctx, r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

// Put writes an event for each id to one partition of a topic.
func (k *Kafka) Put(t testing.TB, topic string, partition int32, ids ...string) {
	t.Helper()
	for _, id := range ids {
		k.Produce(t, &kgo.Record{Topic: topic, Partition: partition, Key: []byte(id), Value: CloudEvent(id)})
	}
}

// Records returns all records of a topic. Those of one partition are in order.
func (k *Kafka) Records(t testing.TB, topic string) []*kgo.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	ends, err := kadm.NewClient(k.client).ListEndOffsets(ctx, topic)
	if err != nil {
		t.Fatal(err)
	}
	var want int64
	ends.Each(func(o kadm.ListedOffset) { want += o.Offset })
	cl, err := kgo.NewClient(kgo.SeedBrokers(k.Addr), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	var got []*kgo.Record
	for int64(len(got)) < want {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			t.Fatalf("read %s: %v after %d of %d records", topic, err, len(got), want)
		}
		got = append(got, fetches.Records()...)
	}
	return got
}

// WaitRecords waits until a topic has that many records and returns them.
func (k *Kafka) WaitRecords(t testing.TB, topic string, n int) []*kgo.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), waitTimeout)
	defer cancel()
	cl, err := kgo.NewClient(kgo.SeedBrokers(k.Addr), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	var got []*kgo.Record
	for len(got) < n {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			t.Fatalf("read %s: %v after %d of %d records", topic, err, len(got), n)
		}
		got = append(got, fetches.Records()...)
	}
	return got
}

// Members returns how many partitions of topic each member of a group owns.
func (k *Kafka) Members(t testing.TB, group, topic string) []int {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	described, err := kadm.NewClient(k.client).DescribeGroups(ctx, group)
	if err != nil {
		t.Fatal(err)
	}
	var got []int
	for _, m := range described[group].Members {
		n := 0
		if a, ok := m.Assigned.AsConsumer(); ok && described[group].State == "Stable" {
			for _, at := range a.Topics {
				if at.Topic == topic {
					n += len(at.Partitions)
				}
			}
		}
		got = append(got, n)
	}
	return got
}

// WaitJoined waits until a group has that many members, and they own all partitions of topic.
func (k *Kafka) WaitJoined(t testing.TB, group, topic string, members int) {
	t.Helper()
	want := 0
	for _, known := range events.Topics() {
		if known.Name == topic {
			want = known.Partitions
		}
	}
	var got []int
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		got = k.Members(t, group, topic)
		owned := 0
		for _, n := range got {
			owned += n
		}
		if owned == want && len(got) == members {
			return
		}
	}
	t.Fatalf("group %s: partitions of %s by member = %v, want %d in all for %d members", group, topic, got, want, members)
}
