package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/taskwire/taskwire/e2e/client"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/twmb/franz-go/pkg/kgo"
)

// publish sends raw as one CloudEvent through the sidecar of an app. Any publisher on the bus could do that.
func publish(t *testing.T, app, topic, id, key string, raw []byte) {
	t.Helper()
	addr, token := shared.SidecarHTTP(app)
	q := url.Values{"metadata.partitionKey": {key}, "metadata.cloudevent.id": {id}}
	req, err := http.NewRequest(http.MethodPost, "http://"+addr+"/v1.0/publish/kafka-pubsub/"+topic+"?"+q.Encode(), bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("dapr-api-token", token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("publish to %s: %v", topic, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		body, _ := io.ReadAll(resp.Body)
		t.Fatalf("publish to %s: status %d: %s", topic, resp.StatusCode, body)
	}
}

func encode(t *testing.T, e interface{ Encode() ([]byte, error) }) []byte {
	t.Helper()
	raw, err := e.Encode()
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	return raw
}

// TestAnEventDeliveredThreeTimesHasOneEffect publishes the same completion, the same update and the same reminder three
// times, as an at-least-once bus may, and counts their effects in each consumer.
func TestAnEventDeliveredThreeTimesHasOneEffect(t *testing.T) {
	usesShared(t)
	u := client.NewUser(t, shared.URL())
	page := client.OpenBrowser(t, u, 0)
	task := u.Create(map[string]any{"title": "water the plants", "due_date": "2030-01-01", "recurrence": map[string]any{"rrule": "FREQ=WEEKLY"}})
	var done events.TaskData
	u.Must(http.MethodPost, "/api/v1/tasks/"+task.ID+"/complete", nil, http.StatusOK, &done)
	client.Eventually(t, time.Minute, "created, completed and the successor are in the audit log", func() error { return auditHas(u, "/api/v1/audit", 3) })

	row := changeOf(t, u, done)
	again := events.TaskEvent{
		EventID: row.EventID, SchemaVersion: events.SchemaVersion, EventType: events.Completed, TaskID: task.ID, UserID: u.ID,
		TaskData: done, TaskVersion: done.Version, Seq: done.Seq, Actor: u.ID, Timestamp: time.Now().UTC(),
	}
	now := time.Now().UTC().Truncate(time.Millisecond)
	reminder := events.ReminderEvent{
		EventID: uuid.Must(uuid.NewV7()).String(), SchemaVersion: events.SchemaVersion, EventType: events.Scheduled, TaskID: task.ID, UserID: u.ID,
		Title: task.Title, DueAt: now.Add(time.Hour), RemindAt: now.Add(time.Second), TaskVersion: 1_000, Timestamp: now,
	}
	for range 3 {
		publish(t, "task-api", events.TopicTaskEvents, again.EventID, u.ID, encode(t, again))
		publish(t, "task-api", events.TopicTaskUpdates, row.EventID, u.ID, encode(t, row))
		publish(t, "task-api", events.TopicReminders, reminder.EventID, u.ID, encode(t, reminder))
	}
	// Events of a partition arrive in order: when this last write has arrived, everything before it has.
	u.Create(map[string]any{"title": "the mark"})
	client.Eventually(t, time.Minute, "the mark is in the audit log, and nothing twice", func() error { return auditHas(u, "/api/v1/audit", 4) })
	client.Eventually(t, time.Minute, "the browser saw each seq once", func() error { return page.SawAll(0, 4) })
	client.Eventually(t, time.Minute, "one notification", func() error {
		if n := len(page.Notifications()); n != 1 {
			return fmt.Errorf("got %d notifications, want 1", n)
		}
		return nil
	})
	if err := hasNotifications(u, 1); err != nil {
		t.Error(err)
	}
	tasks, _, err := u.Sync(0)
	if err != nil {
		t.Fatal(err)
	}
	if len(tasks) != 3 { // the completed one, its one successor, the mark
		t.Errorf("got %d tasks, want 3: a second successor was made", len(tasks))
	}
}

// auditHas returns an error unless the audit log at path has exactly n entries.
func auditHas(u *client.User, path string, n int) error {
	entries, err := u.Audit(path)
	if err != nil {
		return err
	}
	if len(entries) != n {
		return fmt.Errorf("audit log has %d entries, want %d", len(entries), n)
	}
	return nil
}

// changeOf returns the TaskUpdateEvent of a task's version, with the event id under which it was published.
func changeOf(t *testing.T, u *client.User, task events.TaskData) events.TaskUpdateEvent {
	t.Helper()
	entries, err := u.Audit("/api/v1/audit/tasks/" + task.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.TaskVersion == task.Version {
			return events.TaskUpdateEvent{
				EventID: e.EventID, SchemaVersion: events.SchemaVersion, EventType: events.Completed, TaskID: task.ID, UserID: u.ID,
				TaskData: task, TaskVersion: task.Version, Seq: task.Seq, Timestamp: time.Now().UTC(),
			}
		}
	}
	t.Fatalf("task %s version %d is not in the audit log: %+v", task.ID, task.Version, entries)
	return events.TaskUpdateEvent{}
}

// TestAPoisonEventIsDeadLetteredAndThePartitionMovesOn publishes an event that can never succeed, and then a good one to
// the same partition.
func TestAPoisonEventIsDeadLetteredAndThePartitionMovesOn(t *testing.T) {
	usesShared(t)
	u := client.NewUser(t, shared.URL())
	id := uuid.Must(uuid.NewV7()).String()
	publish(t, "task-api", events.TopicTaskEvents, id, u.ID,
		fmt.Appendf(nil, `{"event_id":%q,"event_type":"created","task_id":"not an id","user_id":%q}`, id, u.ID))
	u.Create(map[string]any{"title": "behind the poison"})
	client.Eventually(t, time.Minute, "the event behind the poison is in the audit log", func() error { return auditHas(u, "/api/v1/audit", 1) })

	// Both consumers of the topic dead-letter it, each with its reason.
	seen := deadLetters(t, events.DeadLetterTopic(events.TopicTaskEvents), func(d events.DeadLetter) bool { return d.EventID == id }, 2)
	consumers := map[string]bool{}
	for _, d := range seen {
		consumers[d.Consumer] = true
		if d.Reason == "" {
			t.Errorf("dead letter of %s has no reason", d.Consumer)
		}
	}
	if !consumers["audit"] || !consumers["recurring-task"] {
		t.Errorf("dead letters come from %v, want audit and recurring-task", consumers)
	}
}

// deadLetters reads a dead-letter topic from its start until n letters match.
func deadLetters(t *testing.T, topic string, match func(events.DeadLetter) bool, n int) []events.DeadLetter {
	t.Helper()
	client := kafkaClient(t, shared, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var found []events.DeadLetter
	for len(found) < n {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("%s: found %d of %d dead letters: %+v", topic, len(found), n, found)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			d, err := events.DecodeDeadLetter(eventIn(t, r))
			if err == nil && match(d) {
				found = append(found, d)
			}
		})
	}
	return found
}

// eventIn returns the event in a record, which is a CloudEvent.
func eventIn(t *testing.T, r *kgo.Record) json.RawMessage {
	t.Helper()
	var envelope struct {
		Data json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(r.Value, &envelope); err != nil {
		t.Errorf("%s: %v: %s", r.Topic, err, r.Value)
	}
	return envelope.Data
}
