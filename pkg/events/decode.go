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

// DecodeTaskEvent reads a TaskEvent in the current or the original form, fills in the defaults, skips unknown fields
// and validates. The error is a *ValidationError, or ErrUnknownType; with either, the event holds what could be read,
// for the log line.
func DecodeTaskEvent(data []byte) (TaskEvent, error) {
	var e TaskEvent
	return e, decode(data, &e)
}

// DecodeTaskUpdateEvent reads a TaskUpdateEvent; it promises what DecodeTaskEvent does.
func DecodeTaskUpdateEvent(data []byte) (TaskUpdateEvent, error) {
	var e TaskUpdateEvent
	return e, decode(data, &e)
}

// DecodeReminderEvent reads a ReminderEvent; it promises what DecodeTaskEvent does. An event without event_type is
// scheduled.
func DecodeReminderEvent(data []byte) (ReminderEvent, error) {
	var e ReminderEvent
	return e, decode(data, &e)
}

// DecodeNotificationEvent reads a NotificationEvent. This event has no original form and no types; otherwise it
// promises what DecodeTaskEvent does.
func DecodeNotificationEvent(data []byte) (NotificationEvent, error) {
	var e NotificationEvent
	return e, decode(data, &e)
}

// envelope is what every event has, of a type that is known or not.
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
	// head returns the envelope, and setHead replaces the whole event by one.
	head() envelope
	setHead(envelope)
	// knows reports whether this version knows the type; "" is known where an event may go without.
	knows(Type) bool
	// upcast turns fields in the original form into fields in the current one.
	upcast(fields)
	// complete fills in what may be absent, and tidy brings the values into their one form.
	complete()
	tidy()
}

// decode reads the usual event, a known one in the current form, in one go. Whatever that cannot read is read again
// field by field, which tells the original form and later types from errors, and names the field of an error.
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
	e.tidy()
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

// unknown answers ErrUnknownType for an envelope that is well formed.
func (h envelope) unknown() error {
	var c checker
	c.envelope(h.EventID, h.SchemaVersion, h.TaskID, h.UserID, h.Timestamp)
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

// completeHead reads a later version as the latest one known, whose fields it has and more, and writes ids in lower
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

// knowsTaskType takes "" for known: an event without a type is not one from the future, and Validate refuses it.
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
	return envelope{e.EventID, e.SchemaVersion, "", e.TaskID, e.UserID, e.Timestamp}
}

func (e *NotificationEvent) setHead(h envelope) {
	*e = NotificationEvent{EventID: h.EventID, SchemaVersion: h.SchemaVersion,
		TaskID: h.TaskID, UserID: h.UserID, Timestamp: h.Timestamp}
}

func (e *NotificationEvent) knows(Type) bool { return true }

// upcast does nothing: the first version of this system had no notifications on a topic.
func (e *NotificationEvent) upcast(fields) {}

func (e *NotificationEvent) complete() {
	completeHead(&e.SchemaVersion, &e.EventID, &e.TaskID, &e.UserID, &e.NotificationID)
}
