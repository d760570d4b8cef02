package components_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/taskwire/taskwire/testkit/daprtest"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestKafkaHeadersDoNotReachTheApp(t *testing.T) {
	t.Parallel()
	run := func(t *testing.T, changes ...daprtest.Change) http.Header {
		k := daprtest.NewKafka(t)
		app := daprtest.NewApp(t, nil)
		sidecar(t, k, "audit", app, changes...)
		k.Produce(t, &kgo.Record{Topic: "task-events", Value: daprtest.CloudEvent("e"), Headers: []kgo.RecordHeader{
			{Key: "Authorization", Value: []byte("Bearer stolen")},
			{Key: "X-User-Id", Value: []byte("somebody")},
			{Key: "dapr-api-token", Value: []byte("guessed")},
		}})
		app.WaitFor(t, "e")
		return app.Asked()[0].Header
	}
	t.Run("as rendered", func(t *testing.T) {
		t.Parallel()
		got := run(t)
		for _, name := range []string{"Authorization", "X-User-Id", "Dapr-Api-Token"} {
			if got.Get(name) != "" {
				t.Errorf("header %s of the delivery = %q, want none", name, got.Get(name))
			}
		}
	})
	t.Run("without excludeHeaderMetaRegex", func(t *testing.T) {
		t.Parallel()
		if got := run(t, daprtest.WithoutSetting("kafka-pubsub", "excludeHeaderMetaRegex")); got.Get("X-User-Id") != "somebody" {
			t.Errorf("headers of the delivery = %v, want X-User-Id among them: the line is no longer needed", got)
		}
	})
}

func TestANewlineInAKeyDoesNotBlockThePartition(t *testing.T) {
	t.Parallel()
	run := func(t *testing.T, changes ...daprtest.Change) (*daprtest.App, *daprtest.Sidecar) {
		k := daprtest.NewKafka(t)
		app := daprtest.NewApp(t, nil)
		s := sidecar(t, k, "audit", app, changes...)
		k.Produce(t,
			&kgo.Record{Topic: "task-events", Key: []byte("a\nb"), Value: daprtest.CloudEvent("bad-key")},
			&kgo.Record{Topic: "task-events", Key: []byte("a"), Value: daprtest.CloudEvent("bad-header"),
				Headers: []kgo.RecordHeader{{Key: "x", Value: []byte("1\n2")}, {Key: "a b\n", Value: []byte("3")}}},
			&kgo.Record{Topic: "task-events", Key: []byte("c"), Value: daprtest.CloudEvent("good")})
		return app, s
	}
	t.Run("as rendered", func(t *testing.T) {
		t.Parallel()
		app, _ := run(t)
		app.WaitFor(t, "bad-key", "bad-header", "good")
	})
	t.Run("without escapeHeaders", func(t *testing.T) {
		t.Parallel()
		app, s := run(t, daprtest.WithoutSetting("kafka-pubsub", "escapeHeaders"))
		waitLog(t, s, "invalid header field value", 3) // attempts
		if got := app.Delivered(); len(got) > 0 {
			t.Errorf("deliveries = %v, want none: the line is no longer needed", got)
		}
	})
}

// waitLog waits until a sidecar has written a text so many times.
func waitLog(t *testing.T, s *daprtest.Sidecar, text string, times int) {
	t.Helper()
	for deadline := time.Now().Add(wait); strings.Count(s.Log(), text) < times; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("daprd wrote %q %d times, want %d", text, strings.Count(s.Log(), text), times)
		}
	}
}
