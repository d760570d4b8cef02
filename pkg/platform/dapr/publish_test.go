package dapr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/taskwire/taskwire/testkit/sidecar"
)

const testTopic = "task-events"

func newClient(t *testing.T, s *sidecar.Sidecar, change func(*Config)) *Client {
	t.Helper()
	cfg := Config{HTTPPort: s.HTTPPort, GRPCPort: s.GRPCPort, Backoff: 10 * time.Millisecond}
	if change != nil {
		change(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func message(i int, key string) Event {
	id := fmt.Sprintf("0198a000-0000-7000-8000-%012d", i)
	return Event{
		ID: id, Key: key, Type: "taskwire.task.created", Subject: "task-" + id,
		Data: fmt.Appendf(nil, `{"event_id":%q,"seq":9007199254740993}`, id),
	}
}

// records reads n records of the topic.
func records(t *testing.T, broker, topic string, n int) []*kgo.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cl, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	var out []*kgo.Record
	for len(out) < n {
		f := cl.PollFetches(ctx)
		if err := f.Err(); err != nil {
			t.Fatalf("read %s: got %d of %d records: %v", topic, len(out), n, err)
		}
		out = append(out, f.Records()...)
	}
	return out
}

type envelope struct {
	ID, Type, Source, Subject, TraceParent string
	Data                                   json.RawMessage
}

func TestPublishSetsTheCloudEventAndTheRecordsKey(t *testing.T) {
	t.Parallel()
	_, broker := sidecar.Kafka(t, 12, testTopic)
	s := sidecar.Start(t, sidecar.Config{AppID: "task-api", Resources: map[string]string{"pubsub": sidecar.PubSub(broker, nil)}})
	c := newClient(t, s, nil)
	m := message(1, "user-1")
	m.TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	bulk := message(2, "user-1")
	bulk.TraceParent = m.TraceParent

	if err := c.PublishEvent(t.Context(), testTopic, m); err != nil {
		t.Fatal(err)
	}
	if failed, err := c.PublishBulk(t.Context(), testTopic, []Event{bulk}); err != nil || len(failed) > 0 {
		t.Fatalf("PublishBulk: failed %v, err %v", failed, err)
	}
	got := records(t, broker, testTopic, 2)
	for i, want := range []Event{m, bulk} {
		var e envelope
		if err := json.Unmarshal(got[i].Value, &e); err != nil {
			t.Fatal(err)
		}
		if e.ID != want.ID || e.Type != want.Type || e.Subject != want.Subject || e.Source != "task-api" || e.TraceParent != want.TraceParent {
			t.Errorf("record %d: got envelope %+v, want that of %+v from task-api", i, e, want)
		}
		if string(got[i].Key) != want.Key {
			t.Errorf("record %d: got key %q, want %q", i, got[i].Key, want.Key)
		}
		if string(e.Data) != string(want.Data) {
			t.Errorf("record %d: got data %s, want %s", i, e.Data, want.Data)
		}
	}
	if got[0].Partition != got[1].Partition {
		t.Errorf("one key went to partitions %d and %d", got[0].Partition, got[1].Partition)
	}
}

func TestBulkKeepsTheOrderOfEachKey(t *testing.T) {
	t.Parallel()
	_, broker := sidecar.Kafka(t, 12, testTopic)
	s := sidecar.Start(t, sidecar.Config{AppID: "task-api", Resources: map[string]string{"pubsub": sidecar.PubSub(broker, nil)}})
	c := newClient(t, s, nil)
	var msgs []Event
	for i := range 200 {
		msgs = append(msgs, message(i, fmt.Sprintf("user-%d", i%7)))
	}
	if failed, err := c.PublishBulk(t.Context(), testTopic, msgs); err != nil || len(failed) > 0 {
		t.Fatalf("PublishBulk: failed %v, err %v", failed, err)
	}
	last := map[string]string{}
	for _, r := range records(t, broker, testTopic, 200) {
		var e envelope
		if err := json.Unmarshal(r.Value, &e); err != nil {
			t.Fatal(err)
		}
		if e.ID <= last[string(r.Key)] {
			t.Fatalf("key %s: %s came after %s", r.Key, e.ID, last[string(r.Key)])
		}
		last[string(r.Key)] = e.ID
	}
}

// big returns an event of about n bytes.
func big(i int, key string, n int) Event {
	m := message(i, key)
	m.Data = fmt.Appendf(nil, `{"event_id":%q,"pad":%q}`, m.ID, strings.Repeat("x", n))
	return m
}

func TestAnEventTooLargeForKafkaIsRefused(t *testing.T) {
	t.Parallel()
	_, broker := sidecar.Kafka(t, 1, testTopic)
	s := sidecar.Start(t, sidecar.Config{AppID: "task-api", Resources: map[string]string{"pubsub": sidecar.PubSub(broker, nil)}})
	c := newClient(t, s, nil)
	large := big(50, "user-1", 1<<20+1000)

	if err := c.PublishEvent(t.Context(), testTopic, large); !errors.Is(err, ErrRefused) {
		t.Errorf("PublishEvent: got %v, want ErrRefused", err)
	} else if e := new(Error); !errors.As(err, &e) || e.Attempts != 1 {
		t.Errorf("PublishEvent: got %v, want one attempt", err)
	}
	msgs := []Event{message(1, "user-1"), message(2, "user-2"), large, message(3, "user-1"), message(4, "user-2")}
	failed, err := c.PublishBulk(t.Context(), testTopic, msgs)
	if err != nil {
		t.Fatal(err)
	}
	if len(failed) != 1 || !errors.Is(failed[large.ID], ErrRefused) {
		t.Fatalf("PublishBulk: got failed %v, want only %s, refused", failed, large.ID)
	}
	ids := map[string]bool{}
	for _, r := range records(t, broker, testTopic, 4) {
		var e envelope
		if err := json.Unmarshal(r.Value, &e); err != nil {
			t.Fatal(err)
		}
		ids[e.ID] = true
	}
	for _, m := range msgs {
		if m.ID != large.ID && !ids[m.ID] {
			t.Errorf("%s is not in the topic", m.ID)
		}
	}
}

func TestABulkAboveTheSidecarsLimitIsSentInParts(t *testing.T) {
	t.Parallel()
	_, broker := sidecar.Kafka(t, 12, testTopic)
	s := sidecar.Start(t, sidecar.Config{AppID: "task-api", Resources: map[string]string{"pubsub": sidecar.PubSub(broker, nil)}})
	c := newClient(t, s, nil)
	var msgs []Event
	for i := range 10 {
		msgs = append(msgs, big(i, fmt.Sprintf("user-%d", i), 600<<10))
	}
	failed, err := c.PublishBulk(t.Context(), testTopic, msgs)
	if err != nil || len(failed) > 0 {
		t.Fatalf("PublishBulk of 6 MB: failed %v, err %v", failed, err)
	}
	records(t, broker, testTopic, 10)
}

func TestAWrongConfigurationIsNotARefusal(t *testing.T) {
	t.Parallel()
	_, broker := sidecar.Kafka(t, 1, testTopic)
	s := sidecar.Start(t, sidecar.Config{AppID: "task-api", Resources: map[string]string{
		"pubsub": sidecar.PubSub(broker, map[string]string{"protectedTopics": "secret-topic"}),
	}})
	for _, tc := range []struct {
		name, pubsub, topic string
	}{
		{"no such component", "no-such-pubsub", testTopic},
		{"a topic closed to this app", "kafka-pubsub", "secret-topic"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newClient(t, s, func(cfg *Config) { cfg.PubSub = tc.pubsub })
			err := c.PublishEvent(t.Context(), tc.topic, message(1, "u"))
			failed, bulkErr := c.PublishBulk(t.Context(), tc.topic, []Event{message(1, "u"), message(2, "u")})
			if len(failed) > 0 {
				t.Errorf("PublishBulk: got failed %v, want an error for all", failed)
			}
			for call, err := range map[string]error{"PublishEvent": err, "PublishBulk": bulkErr} {
				var e *Error
				if !errors.As(err, &e) || errors.Is(err, ErrRefused) {
					t.Errorf("%s: got %v, want an *Error that is not a refusal", call, err)
				} else if e.Attempts != 1 || e.Component != tc.pubsub || !e.Transient() {
					t.Errorf("%s: got %d attempts on %q, transient %v; want 1 on %q, transient", call, e.Attempts, e.Component, e.Transient(), tc.pubsub)
				}
			}
		})
	}
}
