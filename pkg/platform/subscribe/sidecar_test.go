package subscribe

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/dapr"
	"github.com/taskwire/taskwire/testkit/sidecar"
)

const patience = 60 * time.Second

// again makes daprd redeliver after 50 ms. Its default is seconds.
const again = `apiVersion: dapr.io/v1alpha1
kind: Resiliency
metadata: {name: again}
spec:
  policies:
    retries: {soon: {policy: constant, duration: 50ms, maxRetries: -1}}
  targets:
    components: {kafka-pubsub: {inbound: {retry: soon}}}
`

// onDapr is a server behind a real sidecar and a broker. A topic has one partition, so an event that blocks it is seen.
type onDapr struct {
	t      *testing.T
	rig    *rig
	client *dapr.Client
	broker string

	mu   sync.Mutex
	seen []string // event ids, in the order of the handler's calls
	more chan struct{}
}

func newOnDapr(t *testing.T, edit func(*Config)) *onDapr {
	t.Helper()
	_, broker := sidecar.Kafka(t, 1, topic, events.DeadLetterTopic(topic))
	o := &onDapr{t: t, broker: broker, more: make(chan struct{}, 1000)}
	o.rig = newRig(t, func(c *Config) {
		c.DeadLetter = o
		if edit != nil {
			edit(c)
		}
	})
	app := httptest.NewServer(o.rig.server.Handler())
	t.Cleanup(app.Close)
	_, port, _ := strings.Cut(app.Listener.Addr().String(), ":")
	appPort, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	sidecar := sidecar.Start(t, sidecar.Config{AppID: "notification", AppPort: appPort, AppToken: token, Resources: map[string]string{
		"pubsub": sidecar.PubSub(broker, nil), "subscription": sidecar.Subscription(topic, "/events/"+topic), "again": again,
	}})
	if o.client, err = dapr.New(dapr.Config{HTTPPort: sidecar.HTTPPort, GRPCPort: sidecar.GRPCPort}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.client.Close() })
	return o
}

// PublishEvent implements Publisher on the sidecar, which starts after the server.
func (o *onDapr) PublishEvent(ctx context.Context, topic string, e dapr.Event) error {
	return o.client.PublishEvent(ctx, topic, e)
}

func (o *onDapr) publish(id, data string) {
	o.t.Helper()
	err := o.client.PublishEvent(o.t.Context(), topic, dapr.Event{
		ID: id, Key: userID, Type: "ReminderEvent", Subject: taskID, Data: []byte(data),
		TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	})
	if err != nil {
		o.t.Fatal(err)
	}
}

// waitFor waits until the handler was called with the event.
func (o *onDapr) waitFor(id string) {
	o.t.Helper()
	deadline := time.After(patience)
	for {
		o.mu.Lock()
		for _, s := range o.seen {
			if s == id {
				o.mu.Unlock()
				return
			}
		}
		o.mu.Unlock()
		select {
		case <-o.more:
		case <-deadline:
			o.t.Fatalf("event %s was not delivered; log:\n%s", id, o.rig.log)
		}
	}
}

func (o *onDapr) saw(id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.seen = append(o.seen, id)
	o.more <- struct{}{}
}

// deadLetters reads n dead letters from the broker.
func (o *onDapr) deadLetters(n int) []events.DeadLetter {
	o.t.Helper()
	ctx, cancel := context.WithTimeout(o.t.Context(), patience)
	defer cancel()
	cl, err := kgo.NewClient(kgo.SeedBrokers(o.broker), kgo.ConsumeTopics(events.DeadLetterTopic(topic)), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		o.t.Fatal(err)
	}
	defer cl.Close()
	var out []events.DeadLetter
	for len(out) < n {
		f := cl.PollFetches(ctx)
		if err := f.Err(); err != nil {
			o.t.Fatalf("got %d of %d dead letters: %v\n%s", len(out), n, err, o.rig.log)
		}
		for _, r := range f.Records() {
			var ce struct{ Data json.RawMessage }
			if err := json.Unmarshal(r.Value, &ce); err != nil {
				o.t.Fatal(err)
			}
			d, err := events.DecodeDeadLetter(ce.Data)
			if err != nil {
				o.t.Fatalf("dead letter %.200s: %v", r.Value, err)
			}
			out = append(out, d)
		}
	}
	return out
}

func nthID(n int) string { return fmt.Sprintf("01936d0f-6f6e-7c3a-8b54-%012d", n) }

func nth(n int, more string) (id, data string) {
	return nthID(n), strings.Replace(reminder(more), eventID, nthID(n), 1)
}

func TestBehindDaprNoEventBlocksItsPartition(t *testing.T) {
	t.Parallel()
	o := newOnDapr(t, nil)
	deliveries := make(chan Delivery, 1000)
	failed := map[string]int{}
	o.rig.handle = func(_ context.Context, e events.ReminderEvent, d Delivery) error {
		deliveries <- d
		switch failed[e.EventID]++; {
		case e.EventID == nthID(2) && failed[e.EventID] < 3:
			return errBoom
		case e.EventID == nthID(3) && failed[e.EventID] < 3:
			panic("boom")
		case e.EventID == nthID(4):
			return fmt.Errorf("keeps failing: %w", errBoom)
		}
		o.saw(e.EventID)
		return nil
	}
	o.publish(nth(1, `,"big":9007199254740993`))
	o.publish(nth(2, ""))                                            // fails twice
	o.publish(nth(3, ""))                                            // panics twice
	o.publish(nth(4, ""))                                            // always fails
	o.publish(nthID(5), `{"event_id":"`+nthID(5)+`","user_id":"x"}`) // poison
	o.publish(nthID(6), strings.Replace(reminder(""), `"title":"x"`, `"title":9007199254740993`, 1))
	o.publish(nth(7, "")) // delivered only after all of them
	o.waitFor(nthID(7))

	first := <-deliveries
	if !strings.Contains(string(first.Raw), `"big":9007199254740993`) || first.CloudEventID != nthID(1) || !strings.Contains(first.TraceParent, "0af7651916cd43dd8448eb211c80319c") {
		t.Errorf("got %s, id %s, traceparent %s", first.Raw, first.CloudEventID, first.TraceParent)
	}
	if got, want := strings.Join(o.seen, " "), strings.Join([]string{nthID(1), nthID(2), nthID(3), nthID(7)}, " "); got != want {
		t.Errorf("handled in order: got %s, want %s", got, want)
	}
	if n := failed[nthID(4)]; n != MaxAttempts+1 {
		t.Errorf("the event that always fails: got %d attempts, want %d", n, MaxAttempts+1)
	}
	letters := o.deadLetters(3)
	for i, want := range []struct{ id, reason string }{{nthID(4), "failed 11 times: keeps failing: boom"}, {nthID(5), "invalid event"}, {eventID, "is not the event's event_id"}} {
		if letters[i].EventID != want.id || !strings.Contains(letters[i].Reason, want.reason) {
			t.Errorf("dead letter %d: got %s, %s; want %s, %s", i, letters[i].EventID, letters[i].Reason, want.id, want.reason)
		}
	}
	if p, err := letters[2].Payload(); err != nil || !strings.Contains(string(p), `"title":9007199254740993`) {
		t.Errorf("dead letter: got %s (%v), want the number exactly", p, err)
	}
}

func TestBehindDaprTheLargestPoisonIsDeadLettered(t *testing.T) {
	t.Parallel()
	o := newOnDapr(t, nil)
	o.rig.handle = func(_ context.Context, e events.ReminderEvent, _ Delivery) error {
		o.saw(e.EventID)
		if e.EventID == nthID(9) {
			return nil
		}
		return fmt.Errorf("%w: %s", ErrPoison, strings.Repeat("<", events.MaxReason))
	}
	// The envelope has some hundred bytes; daprd's Kafka client takes 1,000,000 in all, and escapes <.
	for n, filler := range []string{strings.Repeat("x", 890_000), strings.Repeat("x", 998_000), strings.Repeat("<", 150_000), strings.Repeat("<", 166_000)} {
		o.publish(nth(n, `,"filler":"`+filler+`"`))
	}
	o.publish(nth(9, ""))
	o.waitFor(nthID(9))
	for i, l := range o.deadLetters(4) {
		payload, err := l.Payload()
		if err != nil || l.EventID != nthID(i) || len(payload) < 140_000 {
			t.Errorf("dead letter %d: got %d bytes of %s (%v)", i, len(payload), l.EventID, err)
		}
	}
}

func TestBehindDaprAnEventAboveTheLimitIsDeadLettered(t *testing.T) {
	t.Parallel()
	o := newOnDapr(t, func(c *Config) { c.BodyLimit = 100_000 })
	o.rig.handle = func(_ context.Context, e events.ReminderEvent, _ Delivery) error { o.saw(e.EventID); return nil }
	o.publish(nth(1, `,"filler":"`+strings.Repeat("x", 990_000)+`"`))
	o.publish(nth(2, ""))
	o.waitFor(nthID(2))
	if l := o.deadLetters(1)[0]; !strings.Contains(l.Reason, "more than 100000") {
		t.Errorf("got reason %s", l.Reason)
	}
}

// TestBehindDaprForgedHeadersHaveNoEffect writes to the broker as any publisher can: the Kafka headers become headers of
// the delivery.
func TestBehindDaprForgedHeadersHaveNoEffect(t *testing.T) {
	t.Parallel()
	o := newOnDapr(t, nil)
	got := make(chan Delivery, 10)
	o.rig.handle = func(_ context.Context, e events.ReminderEvent, d Delivery) error {
		got <- d
		o.saw(e.EventID)
		return nil
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(o.broker))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	id, data := nth(1, "")
	record := &kgo.Record{Topic: topic, Key: []byte(userID), Value: []byte(envelope(id, data, `,"traceparent":7`)), Headers: []kgo.RecordHeader{
		{Key: "dapr-api-token", Value: []byte("forged")}, {Key: "Content-Length", Value: []byte("3")}, {Key: "Content-Type", Value: []byte("text/plain")},
		{Key: "traceparent", Value: []byte("00-11111111111111111111111111111111-b7ad6b7169203331-01")}, {Key: "X-User-Id", Value: []byte("a\nb")},
	}}
	if err := cl.ProduceSync(t.Context(), record).FirstErr(); err != nil {
		t.Fatal(err)
	}
	o.waitFor(id)
	if d := <-got; string(d.Raw) != data || d.TraceParent != "" {
		t.Errorf("got %s with traceparent %q, want the event and no traceparent", d.Raw, d.TraceParent)
	}
}
