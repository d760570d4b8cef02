package broker

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// readAll reads all records that a topic has now.
func readAll(t *testing.T, addr, topic string) map[string]int {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	cl := newClient(t, addr, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	ends, err := kadm.NewClient(cl).ListEndOffsets(ctx, topic)
	if err != nil {
		t.Fatal(err)
	}
	var want int64
	ends.Each(func(o kadm.ListedOffset) { want += o.Offset })
	got := map[string]int{}
	var n int64
	for n < want {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			t.Fatalf("read %s: %v after %d of %d records", topic, err, n, want)
		}
		fetches.EachRecord(func(r *kgo.Record) { got[string(r.Value)]++; n++ })
	}
	return got
}

func TestKillNineLosesNoAcknowledgedRecordAndNoOffset(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cfg := childConfig{Addr: "127.0.0.1:0", DataDir: t.TempDir(), Topics: []events.Topic{{Name: "orders", Partitions: 4}}}
	broker := startChild(t, cfg)

	// Records are sent from four goroutines until the broker is gone in the middle of it.
	producer := newClient(t, broker.addr, kgo.RecordRetries(0), kgo.RecordDeliveryTimeout(2*time.Second), kgo.DisableIdempotentWrite())
	var mu sync.Mutex
	acknowledged := map[string]bool{}
	var senders sync.WaitGroup
	half := make(chan struct{})
	for p := range int32(4) {
		senders.Go(func() {
			for i := 0; ; i++ {
				value := fmt.Sprintf("%d-%d", p, i)
				err := producer.ProduceSync(ctx, &kgo.Record{Topic: "orders", Partition: p, Value: []byte(value)}).FirstErr()
				if err != nil {
					return
				}
				mu.Lock()
				acknowledged[value] = true
				if len(acknowledged) == 400 {
					close(half)
				}
				mu.Unlock()
			}
		})
	}
	select {
	case <-half:
	case <-ctx.Done():
		t.Fatal("400 records were not acknowledged in time")
	}
	offsets := make(kadm.Offsets)
	for p := range int32(4) {
		offsets.AddOffset("orders", p, 10+int64(p), -1)
	}
	if err := kadm.NewClient(newClient(t, broker.addr)).CommitAllOffsets(ctx, "readers", offsets); err != nil {
		t.Fatal(err)
	}
	broker.kill()
	senders.Wait()

	again := startChild(t, cfg)
	got := readAll(t, again.addr, "orders")
	for value := range acknowledged {
		if got[value] != 1 {
			t.Errorf("record %s was acknowledged and is there %d times after kill -9, want once", value, got[value])
		}
	}
	kept, err := kadm.NewClient(newClient(t, again.addr)).FetchOffsets(ctx, "readers")
	if err != nil {
		t.Fatal(err)
	}
	for p := range int32(4) {
		if o, ok := kept.Lookup("orders", p); !ok || o.At != 10+int64(p) {
			t.Errorf("offset of partition %d after kill -9 = %d, want %d", p, o.At, 10+p)
		}
	}
}

func TestACleanRestartKeepsRecordsAndOffsets(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	cfg := Config{DataDir: t.TempDir(), Topics: []events.Topic{{Name: "orders", Partitions: 1}}}
	for run := range int64(3) {
		addr, stop := start(t, cfg)
		cl := newClient(t, addr)
		r, err := cl.ProduceSync(ctx, &kgo.Record{Topic: "orders", Value: fmt.Append(nil, run)}).First()
		if err != nil {
			t.Fatal(err)
		}
		if r.Offset != run {
			t.Errorf("offset in run %d = %d, want %d", run, r.Offset, run)
		}
		if got := readAll(t, addr, "orders"); int64(len(got)) != run+1 {
			t.Errorf("records in run %d = %v, want %d", run, got, run+1)
		}
		cl.Close()
		stop()
	}
}

func TestTopicsAreMadeOnceWithTheirPartitions(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	dir := t.TempDir()
	_, stop := start(t, Config{DataDir: dir, Topics: []events.Topic{{Name: "a", Partitions: 3}}})
	stop()
	addr, _ := start(t, Config{DataDir: dir, Topics: append(events.Topics(), events.Topic{Name: "a", Partitions: 12})})
	got, err := kadm.NewClient(newClient(t, addr)).ListTopics(ctx)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{"a": 3} // more partitions would move keys
	for _, topic := range events.Topics() {
		want[topic.Name] = topic.Partitions
	}
	for name, partitions := range want {
		if n := len(got[name].Partitions); n != partitions {
			t.Errorf("topic %s has %d partitions, want %d", name, n, partitions)
		}
	}
	if len(got) != len(want) {
		t.Errorf("topics = %v, want those of %v", got.Names(), want)
	}
}
