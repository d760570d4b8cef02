package events_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

// A producer fills in the event and encodes it. Encode refuses an event that breaks a rule, and names the field.
func ExampleReminderEvent_Encode() {
	reminder := events.ReminderEvent{
		EventID:       "0192f0c2-3333-7333-8333-333333333333",
		SchemaVersion: events.SchemaVersion,
		EventType:     events.Scheduled,
		TaskID:        "0192f0c1-2a3b-7c4d-8e5f-60718293a4b5",
		UserID:        "0192f0c0-0000-7000-8000-00000000000a",
		Title:         "Water the plants",
		DueAt:         time.Date(2026, 11, 9, 8, 0, 0, 0, time.UTC),
		TaskVersion:   7,
		Timestamp:     time.Date(2026, 11, 3, 9, 30, 15, 0, time.UTC),
	}
	_, err := reminder.Encode()
	fmt.Println(err)

	var invalid *events.ValidationError
	if errors.As(err, &invalid) {
		fmt.Println(invalid.Field)
	}

	reminder.RemindAt = reminder.DueAt.Add(-30 * time.Minute)
	data, err := reminder.Encode()
	fmt.Println(string(data), err)
	// Output:
	// invalid event: remind_at: is missing
	// remind_at
	// {"event_id":"0192f0c2-3333-7333-8333-333333333333","schema_version":2,"event_type":"scheduled","task_id":"0192f0c1-2a3b-7c4d-8e5f-60718293a4b5","user_id":"0192f0c0-0000-7000-8000-00000000000a","title":"Water the plants","due_at":"2026-11-09T08:00:00Z","remind_at":"2026-11-09T07:30:00Z","task_version":7,"timestamp":"2026-11-03T09:30:15Z"} <nil>
}

// An event in the original form is decoded like any other. Missing fields take their defaults.
func ExampleDecodeTaskEvent_original() {
	event, err := events.DecodeTaskEvent([]byte(`{
		"event_id":  "0192f0c2-3333-7333-8333-333333333333",
		"event_type":"completed",
		"task_id":   "0192f0c1-2a3b-7c4d-8e5f-60718293a4b5",
		"user_id":   "0192f0c0-0000-7000-8000-00000000000a",
		"task_data": {"title": "Water the plants", "completed": true},
		"timestamp": "2025-12-02T09:30:15Z"
	}`))
	task := event.TaskData
	fmt.Println(err, event.SchemaVersion, event.TaskVersion)
	fmt.Println(task.Status, task.Priority, len(task.Tags), task.Timezone)
	// Output:
	// <nil> 1 0
	// completed medium 0 UTC
}

// A consumer distinguishes an event of an unknown type from an event that can never be processed.
func ExampleDecodeTaskEvent_unknownType() {
	_, err := events.DecodeTaskEvent([]byte(`{
		"event_id":  "0192f0c2-3333-7333-8333-333333333333", "schema_version": 2,
		"event_type":"delegated",
		"task_id":   "0192f0c1-2a3b-7c4d-8e5f-60718293a4b5",
		"user_id":   "0192f0c0-0000-7000-8000-00000000000a",
		"timestamp": "2026-11-03T09:30:15Z"
	}`))
	switch {
	case errors.Is(err, events.ErrUnknownType):
		fmt.Println("acknowledge and skip:", err)
	case errors.Is(err, events.ErrInvalid):
		fmt.Println("to the dead-letter topic:", err)
	}
	// Output:
	// acknowledge and skip: unknown event type "delegated"
}

// A task that is due on a date is due at the end of that day in the task's time zone.
func ExampleTaskData_DueInstant() {
	for _, day := range []string{"2026-03-28", "2026-03-29"} { // the clocks go forward in the night between them
		due, _, err := events.TaskData{DueDate: day, Timezone: "Europe/Berlin"}.DueInstant()
		fmt.Println(due.Format(time.RFC3339), err)
	}
	// Output:
	// 2026-03-28T22:59:59Z <nil>
	// 2026-03-29T21:59:59Z <nil>
}

// A dead letter keeps the event as it was received, so that it can be published again.
func ExampleDeadLetter() {
	letter := events.DeadLetter{
		Topic: events.TopicTaskEvents, Consumer: "audit", Reason: "invalid event: document: is not JSON",
		FailedAt: time.Date(2026, 11, 3, 9, 30, 15, 0, time.UTC), Original: []byte("not JSON at all"),
	}
	data, _ := letter.Encode()
	fmt.Println(string(data))

	letter, err := events.DecodeDeadLetter(data)
	payload, _ := letter.Payload()
	fmt.Printf("%s, %v\n", payload, err)
	// Output:
	// {"event_id":"","topic":"task-events","consumer":"audit","reason":"invalid event: document: is not JSON","failed_at":"2026-11-03T09:30:15Z","original":"bm90IEpTT04gYXQgYWxs","original_encoding":"base64"}
	// not JSON at all, <nil>
}
