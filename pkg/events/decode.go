package events

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// DecodeTaskEvent reads a TaskEvent in the current or the original form. It fills in defaults, skips unknown fields, and
// validates. The error is a *ValidationError or matches ErrUnknownType. With an error, the event holds the fields that could
// be read, for the log line.
func DecodeTaskEvent(data []byte) (TaskEvent, error) {
	var e TaskEvent
	return e, decode(data, &e)
}

// DecodeTaskUpdateEvent reads a TaskUpdateEvent. Forms, defaults and errors are as in DecodeTaskEvent.
func DecodeTaskUpdateEvent(data []byte) (TaskUpdateEvent, error) {
	var e TaskUpdateEvent
	return e, decode(data, &e)
}

// DecodeReminderEvent reads a ReminderEvent. Forms, defaults and errors are as in DecodeTaskEvent. An absent event_type means
// scheduled.
func DecodeReminderEvent(data []byte) (ReminderEvent, error) {
	var e ReminderEvent
	return e, decode(data, &e)
}

// DecodeNotificationEvent reads a NotificationEvent. This event has no original form. An absent event_type means added, and
// an unknown one is no error. Otherwise defaults and errors are as in DecodeTaskEvent.
func DecodeNotificationEvent(data []byte) (NotificationEvent, error) {
	var e NotificationEvent
	return e, decode(data, &e)
}

// envelope is the common part of all events, whether or not their type is known.
type envelope struct {
	EventID       string    `json:"event_id"`
	SchemaVersion int       `json:"schema_version"`
	EventType     Type      `json:"event_type"`
	TaskID        string    `json:"task_id"`
	UserID        string    `json:"user_id"`
	Timestamp     time.Time `json:"timestamp"`
}

// decodable is what decode needs of an event.
type decodable interface {
	Event
	// head returns the envelope. setHead replaces the whole event with an envelope.
	head() envelope
	setHead(envelope)
	// knows reports whether this version knows the type. "" counts as known: see knowsTaskType.
	knows(Type) bool
	// upcast converts fields in the original form into fields in the current form.
	upcast(fields)
	// complete fills in absent fields, and normalise brings the values into their wire form.
	complete()
	normalise()
}

// decode first tries to read a known event in the current form with one json.Unmarshal, which is the usual case. If that does
// not succeed, it reads the event field by field. This recognises the original form and unknown types, and names the field
// of an error.
func decode(data []byte, e decodable) error {
	if !utf8.Valid(data) {
		return &ValidationError{FieldDocument, "is not valid UTF-8"}
	}
	err := json.Unmarshal(data, e)
	if h := e.head(); err != nil || h.SchemaVersion <= originalVersion || !e.knows(h.EventType) {
		if err := decodeFields(data, e); err != nil {
			return err
		}
	}
	e.complete()
	e.normalise()
	return e.Validate()
}

func decodeFields(data []byte, e decodable) error {
	e.setHead(envelope{})
	f, err := readFields(data)
	if err != nil {
		return err
	}
	original := f.isOriginal()
	if original {
		f["schema_version"] = json.RawMessage("1")
		f.fixInstant("timestamp", "")
	}
	var h envelope
	err = f.into(&h)
	h.complete()
	e.setHead(h)
	if err != nil {
		return err
	}
	if !e.knows(h.EventType) {
		return h.unknown()
	}
	if original {
		e.upcast(f)
	}
	return f.into(e)
}

// unknown returns ErrUnknownType if the envelope is well formed, and a *ValidationError otherwise.
func (h envelope) unknown() error {
	var c checker
	c.version(h.EventID, h.SchemaVersion)
	c.optionalID("task_id", h.TaskID) // an event of a later type may be about something else than a task
	c.id("user_id", h.UserID)
	c.time("timestamp", h.Timestamp)
	c.text("event_type", string(h.EventType), 1, MaxEventType)
	if err := c.result(); err != nil {
		return err
	}
	return fmt.Errorf("%w %q", ErrUnknownType, h.EventType)
}

func (h *envelope) complete() {
	completeHead(&h.SchemaVersion, &h.EventID, &h.TaskID, &h.UserID)
	h.Timestamp = utc(h.Timestamp)
}

// completeHead reads a later version as the latest known one: a later version has all its fields. It converts ids to lower
// case, so that they can be compared as text.
func completeHead(version *int, ids ...*string) {
	*version = min(*version, SchemaVersion)
	for _, id := range ids {
		*id = strings.ToLower(*id)
	}
}

func (d *TaskData) complete() {
	for _, id := range []*string{&d.ID, &d.UserID, &d.SeriesID} {
		*id = strings.ToLower(*id)
	}
	d.Priority = cmp.Or(d.Priority, PriorityMedium)
	d.Timezone = cmp.Or(d.Timezone, "UTC")
	if r := d.Recurrence; r != nil {
		r.Anchor = cmp.Or(r.Anchor, AnchorSchedule)
		r.Timezone = cmp.Or(r.Timezone, d.Timezone)
		r.CatchUp = cmp.Or(r.CatchUp, CatchUpNext)
	}
}

func (e *TaskEvent) head() envelope {
	return envelope{e.EventID, e.SchemaVersion, e.EventType, e.TaskID, e.UserID, e.Timestamp}
}

func (e *TaskEvent) setHead(h envelope) {
	*e = TaskEvent{EventID: h.EventID, SchemaVersion: h.SchemaVersion, EventType: h.EventType,
		TaskID: h.TaskID, UserID: h.UserID, Timestamp: h.Timestamp}
}

func (e *TaskEvent) knows(t Type) bool { return knowsTaskType(t) }

func (e *TaskEvent) upcast(f fields) { f.upcastTask() }

func (e *TaskEvent) complete() {
	completeHead(&e.SchemaVersion, &e.EventID, &e.TaskID, &e.UserID)
	e.TaskData.complete()
}

func (e *TaskUpdateEvent) head() envelope {
	return envelope{e.EventID, e.SchemaVersion, e.EventType, e.TaskID, e.UserID, e.Timestamp}
}

func (e *TaskUpdateEvent) setHead(h envelope) {
	*e = TaskUpdateEvent{EventID: h.EventID, SchemaVersion: h.SchemaVersion, EventType: h.EventType,
		TaskID: h.TaskID, UserID: h.UserID, Timestamp: h.Timestamp}
}

func (e *TaskUpdateEvent) knows(t Type) bool { return knowsTaskType(t) }

func (e *TaskUpdateEvent) upcast(f fields) { f.upcastTask() }

func (e *TaskUpdateEvent) complete() {
	completeHead(&e.SchemaVersion, &e.EventID, &e.TaskID, &e.UserID)
	e.TaskData.complete()
}

// knowsTaskType treats "" as known: a missing type is an error, not a type of a later version. Validate refuses it.
func knowsTaskType(t Type) bool { return t == "" || slices.Contains(TaskTypes(), t) }

func (e *ReminderEvent) head() envelope {
	return envelope{e.EventID, e.SchemaVersion, e.EventType, e.TaskID, e.UserID, e.Timestamp}
}

func (e *ReminderEvent) setHead(h envelope) {
	*e = ReminderEvent{EventID: h.EventID, SchemaVersion: h.SchemaVersion, EventType: h.EventType,
		TaskID: h.TaskID, UserID: h.UserID, Timestamp: h.Timestamp}
}

func (e *ReminderEvent) knows(t Type) bool { return t == "" || slices.Contains(ReminderTypes(), t) }

func (e *ReminderEvent) upcast(f fields) { f.upcastReminder() }

func (e *ReminderEvent) complete() {
	completeHead(&e.SchemaVersion, &e.EventID, &e.TaskID, &e.UserID)
	e.EventType = cmp.Or(e.EventType, Scheduled)
}

func (e *NotificationEvent) head() envelope {
	return envelope{e.EventID, e.SchemaVersion, e.EventType, e.TaskID, e.UserID, e.Timestamp}
}

func (e *NotificationEvent) setHead(h envelope) {
	*e = NotificationEvent{EventID: h.EventID, SchemaVersion: h.SchemaVersion, EventType: h.EventType,
		TaskID: h.TaskID, UserID: h.UserID, Timestamp: h.Timestamp}
}

// knows takes every type: a reader that skipped an event would miss its notification_seq.
func (e *NotificationEvent) knows(Type) bool { return true }

// upcast does nothing: the first version of this system published no notifications.
func (e *NotificationEvent) upcast(fields) {}

func (e *NotificationEvent) complete() {
	completeHead(&e.SchemaVersion, &e.EventID, &e.TaskID, &e.UserID, &e.NotificationID)
	e.EventType = cmp.Or(e.EventType, Added)
}
