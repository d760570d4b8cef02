package components_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/taskwire/taskwire/testkit/daprtest"
)

// published runs a sidecar of the task API, calls publish with it, and returns the partitions and ids in task-events.
func published(t *testing.T, publish func(*daprtest.Sidecar), changes ...daprtest.Change) (partitions []int32, ids []string) {
	t.Helper()
	k := daprtest.NewKafka(t)
	s := sidecar(t, k, "task-api", daprtest.NewApp(t, nil), changes...)
	s.WaitReady(t)
	publish(s)
	for _, r := range k.Records(t, "task-events") {
		var event struct{ ID string }
		if err := json.Unmarshal(r.Value, &event); err != nil {
			t.Fatalf("record %s: %v", r.Value, err)
		}
		if partitions, ids = append(partitions, r.Partition), append(ids, event.ID); len(r.Headers) > 0 {
			t.Errorf("record headers = %v, want none: a consumer leaves them out anyway", r.Headers)
		}
	}
	slices.Sort(partitions)
	return slices.Compact(partitions), ids
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestThePartitionKeyKeepsAUsersEventsInOrder(t *testing.T) {
	t.Parallel()
	partitions, ids := published(t, func(s *daprtest.Sidecar) {
		for i := range 24 {
			must(t, s.Publish(t, "task-events", `{}`, "partitionKey", "user-1", "cloudevent.id", fmt.Sprintf("%02d", i)))
		}
	})
	if len(partitions) != 1 || !slices.IsSorted(ids) || len(ids) != 24 {
		t.Errorf("24 events with one key are in partitions %v as %v, want one partition and in order", partitions, ids)
	}
	partitions, _ = published(t, func(s *daprtest.Sidecar) {
		for range 24 {
			must(t, s.Publish(t, "task-events", `{}`))
		}
	})
	if len(partitions) < 2 {
		t.Errorf("24 events without a key are in partitions %v: the key is no longer needed", partitions)
	}
}

func TestAnEventKeepsItsIDWhenItIsPublishedAgain(t *testing.T) {
	t.Parallel()
	_, ids := published(t, func(s *daprtest.Sidecar) {
		for range 2 {
			must(t, s.Publish(t, "task-events", `{}`, "partitionKey", "u", "cloudevent.id", "event-1"))
		}
	})
	if !slices.Equal(ids, []string{"event-1", "event-1"}) {
		t.Errorf("ids = %v, want event-1 twice", ids)
	}
	_, ids = published(t, func(s *daprtest.Sidecar) {
		for range 2 {
			must(t, s.Publish(t, "task-events", `{}`, "partitionKey", "u"))
		}
	})
	if len(ids) != 2 || ids[0] == ids[1] {
		t.Errorf("ids without cloudevent.id = %v, want two: the metadata is no longer needed", ids)
	}
}

func TestALargeEventIsPublished(t *testing.T) {
	t.Parallel()
	data := `{"description":"` + strings.Repeat("x", 100_000) + `"}`
	if _, ids := published(t, func(s *daprtest.Sidecar) { must(t, s.Publish(t, "task-events", data)) }); len(ids) != 1 {
		t.Errorf("events = %v, want one", ids)
	}
	_, ids := published(t, func(s *daprtest.Sidecar) {
		if err := s.Publish(t, "task-events", data); err == nil {
			t.Error("Dapr's sample limit let 100 kB pass: the line may come back")
		}
	}, daprtest.WithSetting("kafka-pubsub", "maxMessageBytes", "1024"))
	if len(ids) != 0 {
		t.Errorf("events with Dapr's sample limit = %v, want none", ids)
	}
}

func TestATraceContinuesFromPublisherToConsumer(t *testing.T) {
	t.Parallel()
	const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
	run := func(t *testing.T, changes ...daprtest.Change) string {
		k := daprtest.NewKafka(t)
		app := daprtest.NewApp(t, nil)
		publisher := sidecar(t, k, "task-api", daprtest.NewApp(t, nil), changes...)
		sidecar(t, k, "audit", app, changes...)
		publisher.WaitReady(t)
		status, answer, err := publisher.Call(t, http.MethodPost, "/v1.0/publish/kafka-pubsub/task-events?metadata.cloudevent.id=e", []byte(`{}`),
			"Content-Type", "application/json", "traceparent", "00-"+trace+"-00f067aa0ba902b7-01")
		if err != nil || status != http.StatusNoContent {
			t.Fatalf("publish = %d %s, %v", status, answer, err)
		}
		app.WaitFor(t, "e")
		var event struct {
			Traceparent string `json:"traceparent"`
		}
		must(t, json.Unmarshal(app.Asked()[0].Body, &event))
		return event.Traceparent
	}
	if got := run(t); !strings.Contains(got, trace) {
		t.Errorf("traceparent of the delivery = %q, want trace %s", got, trace)
	}
	if got := run(t, daprtest.With("config", "tracing.samplingRate", "0")); strings.Contains(got, trace) {
		t.Errorf("traceparent with sampling rate 0 = %q: the line is no longer needed", got)
	}
}
