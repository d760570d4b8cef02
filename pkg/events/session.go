package events

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// SessionUpdateEvent informs the websocket service that sessions of a user ended. It is on the topic of the user's changes, and
// is committed with what ended the sessions. So a socket of an ended session is closed before a later change is sent on it.
type SessionUpdateEvent struct {
	// EventID is a UUIDv7 made in the transaction of the change; consumers de-duplicate on it.
	EventID string `json:"event_id"`
	// SchemaVersion is the version of the format; this event has no original form.
	SchemaVersion int `json:"schema_version"`
	// EventType is what happened to the sessions.
	EventType Type `json:"event_type"`
	// TaskID is the user_id again. It names no task: the releases before this event skip a type that they do not know only if it is there.
	TaskID string `json:"task_id"`
	// UserID is the user whose sessions ended.
	UserID string `json:"user_id"`
	// SessionIDs are the sessions that ended.
	SessionIDs []string `json:"session_ids"`
	// Timestamp is when they ended.
	Timestamp time.Time `json:"timestamp"`
}

// SessionsEnded is the type of a SessionUpdateEvent. A TaskUpdateEvent never has it, so it tells the two apart.
const (
	SessionsEnded Type = "session_ended" // The sessions ended: no token of theirs is valid.
)

// ID implements Event.
func (e SessionUpdateEvent) ID() string { return e.EventID }

// Name implements Event.
func (e SessionUpdateEvent) Name() string { return NameSessionUpdateEvent }

// Topic implements Event.
func (e SessionUpdateEvent) Topic() string { return TopicTaskUpdates }

// Key implements Event.
func (e SessionUpdateEvent) Key() string { return e.UserID }

// Subject implements Event. It is the user_id, because the event is about no task.
func (e SessionUpdateEvent) Subject() string { return e.UserID }

// Encode implements Event. Times are written in UTC.
func (e SessionUpdateEvent) Encode() ([]byte, error) { return encode(&e) }

// Validate returns nil, or a *ValidationError that names the first field that breaks a rule.
func (e SessionUpdateEvent) Validate() error {
	var c checker
	c.account(e.EventID, e.SchemaVersion, e.UserID, e.Timestamp)
	oneOf(&c, "event_type", e.EventType, SessionTypes())
	c.id("task_id", e.TaskID)
	c.must(len(e.SessionIDs) > 0, "session_ids", reasonMissing)
	c.must(len(e.SessionIDs) <= MaxSessionIDs, "session_ids", fmt.Sprintf("has more than %d entries", MaxSessionIDs))
	for i, id := range e.SessionIDs {
		if c.err == nil {
			c.id("session_ids["+strconv.Itoa(i)+"]", id)
		}
	}
	return c.result()
}

// SessionTypes returns the types that a SessionUpdateEvent has.
func SessionTypes() []Type { return []Type{SessionsEnded} }

// DecodeSessionUpdateEvent reads a SessionUpdateEvent. This event has no original form. Otherwise defaults and errors are as in
// DecodeTaskEvent: a TaskUpdateEvent gets ErrUnknownType.
func DecodeSessionUpdateEvent(data []byte) (SessionUpdateEvent, error) {
	var e SessionUpdateEvent
	return e, decode(data, &e)
}

func (e *SessionUpdateEvent) normalise() { e.Timestamp = utc(e.Timestamp) }

func (e *SessionUpdateEvent) head() envelope {
	return envelope{e.EventID, e.SchemaVersion, e.EventType, e.TaskID, e.UserID, e.Timestamp}
}

func (e *SessionUpdateEvent) setHead(h envelope) {
	*e = SessionUpdateEvent{EventID: h.EventID, SchemaVersion: h.SchemaVersion, EventType: h.EventType,
		TaskID: h.TaskID, UserID: h.UserID, Timestamp: h.Timestamp}
}

func (e *SessionUpdateEvent) knows(t Type) bool { return t == "" || slices.Contains(SessionTypes(), t) }

// upcast does nothing: the first version of this system published no such event.
func (e *SessionUpdateEvent) upcast(fields) {}

func (e *SessionUpdateEvent) complete() {
	completeHead(&e.SchemaVersion, &e.EventID, &e.TaskID, &e.UserID)
	for i := range e.SessionIDs {
		e.SessionIDs[i] = strings.ToLower(e.SessionIDs[i])
	}
}
