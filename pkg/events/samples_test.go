package events_test

import (
	"encoding/json"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

// The ids in the golden documents.
const (
	taskID         = "0192f0c1-2a3b-7c4d-8e5f-60718293a4b5"
	userID         = "0192f0c0-0000-7000-8000-00000000000a"
	seriesID       = "0192f0c1-0000-7000-8000-0000000000c3"
	notificationID = "0192f0c2-1111-7111-8111-111111111111"
	causationID    = "0192f0c2-2222-7222-8222-222222222222"
	eventID        = "0192f0c2-3333-7333-8333-333333333333"
	sessionID      = "0192f0c2-4444-7444-8444-444444444444"
	otherSessionID = "0192f0c2-5555-7555-8555-555555555555"
)

// beyondFloat is 2^53 + 1, which a float64 cannot hold.
const beyondFloat = 9_007_199_254_740_993

var (
	created  = time.Date(2026, 11, 2, 8, 15, 0, 0, time.UTC)
	changed  = time.Date(2026, 11, 3, 9, 30, 15, 123_456_000, time.UTC)
	startAt  = time.Date(2026, 11, 9, 6, 0, 0, 0, time.UTC)
	dueAt    = time.Date(2026, 11, 9, 8, 0, 0, 0, time.UTC)
	remindAt = time.Date(2026, 11, 9, 7, 30, 0, 0, time.UTC)
	readAt   = time.Date(2026, 11, 9, 7, 42, 0, 500_000_000, time.UTC)

	endOfDueDate = time.Date(2026, 11, 9, 22, 59, 59, 0, time.UTC) // in Berlin
)

const dueDate = "2026-11-09"

// sampleTask is a task with every field that its event type allows.
func sampleTask(t events.Type) events.TaskData {
	d := events.TaskData{
		ID: taskID, UserID: userID,
		Title:       "Water the plants <all of them> & the ficus 🌿",
		Description: "Twice in summer.\nThe ficus likes it dry.",
		Status:      events.StatusPending, Priority: events.PriorityHigh, Tags: []string{"home", "garden"},
		StartAt: &startAt, DueAt: &dueAt, Timezone: "Europe/Berlin", RemindAt: &remindAt,
		Recurrence: &events.Recurrence{RRule: "FREQ=WEEKLY;BYDAY=MO", Anchor: events.AnchorSchedule, Timezone: "Europe/Berlin", CatchUp: events.CatchUpNext, ExDates: []string{"2026-11-16", "2026-12-28"}},
		SeriesID:   seriesID, OccurrenceNo: 3, Position: 1024.5,
		Version: 7, Seq: beyondFloat, CreatedAt: created, UpdatedAt: changed,
	}
	switch t {
	case events.Created:
		d.Version, d.UpdatedAt = 1, created
	case events.Completed:
		d.Status, d.CompletedAt, d.SeriesEnds = events.StatusCompleted, &changed, true
	case events.Deleted:
		d.DeletedAt = &changed
	case events.Restored: // a plain task, with a date only
		d.StartAt, d.DueAt, d.DueDate, d.RemindAt, d.Recurrence = nil, nil, "2026-11-09", nil, nil
		d.SeriesID, d.OccurrenceNo, d.Tags, d.Description = "", 0, nil, ""
	default:
	}
	return d
}

func sampleTaskEvent(t events.Type) events.TaskEvent {
	d := sampleTask(t)
	e := events.TaskEvent{
		EventID: eventID, SchemaVersion: events.SchemaVersion, EventType: t, TaskID: taskID, UserID: userID,
		TaskData: d, TaskVersion: d.Version, Seq: d.Seq, Actor: userID, Timestamp: d.UpdatedAt,
	}
	switch t {
	case events.Created:
		e.Actor, e.CausationID = "recurring-task", causationID
	case events.Updated:
		e.Changes = []events.Change{
			{Field: "title", From: json.RawMessage(`"Water the plants"`), To: json.RawMessage(`"Water the plants <all of them> & the ficus 🌿"`)},
			{Field: "due_at", To: json.RawMessage(`"2026-11-09T08:00:00Z"`)},
			{Field: "tags", From: json.RawMessage(`["home"]`), To: json.RawMessage(`["home","garden"]`)},
		}
	case events.Completed:
		e.Changes = []events.Change{{Field: "status", From: json.RawMessage(`"pending"`), To: json.RawMessage(`"completed"`)}}
	default:
	}
	return e
}

func sampleTaskUpdateEvent(t events.Type) events.TaskUpdateEvent {
	d := sampleTask(t)
	return events.TaskUpdateEvent{
		EventID: eventID, SchemaVersion: events.SchemaVersion, EventType: t, TaskID: taskID, UserID: userID,
		TaskData: d, TaskVersion: d.Version, Seq: d.Seq, Timestamp: d.UpdatedAt,
	}
}

func sampleReminderEvent(t events.Type) events.ReminderEvent {
	e := events.ReminderEvent{
		EventID: eventID, SchemaVersion: events.SchemaVersion, EventType: t, TaskID: taskID, UserID: userID,
		Title: "Water the plants", DueAt: endOfDueDate, DueDate: dueDate, Timezone: "Europe/Berlin", RemindAt: remindAt,
		TaskVersion: 7, Timestamp: changed,
	}
	if t == events.Cancelled {
		e.DueAt, e.DueDate, e.Timezone, e.RemindAt = time.Time{}, "", "", time.Time{}
	}
	return e
}

func sampleNotificationEvent(t events.Type) events.NotificationEvent {
	e := events.NotificationEvent{
		EventID: eventID, SchemaVersion: events.SchemaVersion, EventType: t, NotificationSeq: beyondFloat, Unread: 3,
		NotificationID: notificationID, TaskID: taskID, UserID: userID, Kind: events.KindReminder, Title: "Water the plants",
		Body: "Due today at 09:00, Monday 9 November 2026 (Europe/Berlin).", DueAt: &dueAt, Late: true, Timestamp: remindAt,
	}
	switch t {
	case events.Listed:
		e.Body, e.DueDate, e.DueAt = "Due today, Monday 9 November 2026.", dueDate, &endOfDueDate
	case events.Read:
		e.ReadAt, e.Timestamp, e.Unread = &readAt, readAt, 2
	default:
	}
	return e
}

// sampleAccountEvent is an event with every field that its type has.
func sampleAccountEvent(t events.AccountEventType) events.AccountEvent {
	e := events.AccountEvent{
		EventID: eventID, SchemaVersion: events.SchemaVersion, EventType: t, UserID: userID, Timestamp: changed,
		SessionID: sessionID, Actor: userID, Address: "2001:db8::1", Device: "Mozilla/5.0 (X11; Linux x86_64) Firefox/145.0",
	}
	switch t {
	case events.AccountLoginRefused:
		e.SessionID, e.Actor, e.Reason, e.Count = "", "", "wrong password", 7
	case events.AccountRoleChanged:
		e.SessionID, e.Actor, e.Address, e.Device, e.Role = "", "taskwire user", "", "", "auditor"
	case events.AccountSessionEnded:
		e.Reason = "the password was changed"
	case events.AccountPasswordChanged, events.AccountDeleted, events.AccountEmailVerified:
		e.SessionID = ""
	default:
	}
	return e
}

func sampleSessionUpdateEvent() events.SessionUpdateEvent {
	return events.SessionUpdateEvent{
		EventID: eventID, SchemaVersion: events.SchemaVersion, EventType: events.SessionsEnded, TaskID: userID, UserID: userID,
		SessionIDs: []string{sessionID, otherSessionID}, Timestamp: changed,
	}
}

func sampleDeadLetter(original string) events.DeadLetter {
	return events.DeadLetter{
		EventID: eventID, Topic: events.TopicTaskEvents, Consumer: "audit",
		Reason: "invalid event: task_data.title: is missing", FailedAt: changed, Original: json.RawMessage(original),
	}
}

// encoder is the common part of all documents, including dead letters.
type encoder interface {
	Encode() ([]byte, error)
	Validate() error
}

// currentSamples returns a document of each kind and type, by the name of its golden file.
func currentSamples() map[string]encoder {
	samples := map[string]encoder{
		"dead-letter.json":  sampleDeadLetter(`{"event_id":"` + eventID + `","seq":9007199254740993}`),
		"dead-letter.bytes": sampleDeadLetter("\xff\x00 no JSON"),
	}
	for _, t := range events.TaskTypes() {
		samples["task-event."+string(t)] = sampleTaskEvent(t)
		samples["task-update-event."+string(t)] = sampleTaskUpdateEvent(t)
	}
	for _, t := range events.ReminderTypes() {
		samples["reminder-event."+string(t)] = sampleReminderEvent(t)
	}
	for _, t := range events.NotificationTypes() {
		samples["notification-event."+string(t)] = sampleNotificationEvent(t)
	}
	for _, t := range events.AccountTypes() {
		samples["account-event."+string(t)] = sampleAccountEvent(t)
	}
	samples["session-update-event."+string(events.SessionsEnded)] = sampleSessionUpdateEvent()
	return samples
}
