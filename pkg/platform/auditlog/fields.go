package auditlog

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/events"
)

// Fields are what the log keeps of an event in columns, for queries. The event is in the leaf, so anyone can derive them
// again.
type Fields struct {
	EventID     string    `json:"event_id"`
	EventType   string    `json:"event_type"`
	UserID      string    `json:"user_id"`
	TaskID      string    `json:"task_id"` // "" for an event that is not of a task
	TaskVersion int64     `json:"task_version"`
	Seq         int64     `json:"seq"`
	Actor       string    `json:"actor"`
	OccurredAt  time.Time `json:"occurred_at"` // UTC, whole microseconds
}

// FieldsOf derives the fields from an event's JSON. An event of an unknown type has those of its members that have the
// usual form. Ids are in their canonical form; an event without an actor was caused by its user.
func FieldsOf(event []byte) (Fields, error) {
	var f Fields
	if ev, err := events.DecodeTaskEvent(event); err == nil {
		f = Fields{
			EventID: ev.EventID, EventType: string(ev.EventType), UserID: ev.UserID, TaskID: ev.TaskID,
			TaskVersion: ev.TaskVersion, Seq: ev.Seq, Actor: ev.Actor, OccurredAt: ev.Timestamp,
		}
	} else if f, err = looseFields(event); err != nil {
		return Fields{}, err
	}
	for name, id := range map[string]*string{"event_id": &f.EventID, "user_id": &f.UserID, "task_id": &f.TaskID} {
		if *id == "" && name == "task_id" {
			continue
		}
		parsed, err := uuid.Parse(*id)
		if err != nil {
			return Fields{}, fmt.Errorf("the event's %s is not a UUID", name)
		}
		*id = parsed.String()
	}
	if f.Actor == "" {
		f.Actor = f.UserID
	}
	f.OccurredAt = f.OccurredAt.UTC().Truncate(time.Microsecond)
	return f, nil
}

// looseFields reads the members of an event of a type that this version does not know.
func looseFields(event []byte) (Fields, error) {
	var head struct {
		EventID   string    `json:"event_id"`
		EventType string    `json:"event_type"`
		UserID    string    `json:"user_id"`
		TaskID    string    `json:"task_id"`
		Timestamp time.Time `json:"timestamp"`
	}
	if err := json.Unmarshal(event, &head); err != nil {
		return Fields{}, fmt.Errorf("the event cannot be read: %w", err)
	}
	var more struct {
		TaskVersion int64  `json:"task_version"`
		Seq         int64  `json:"seq"`
		Actor       string `json:"actor"`
	}
	f := Fields{EventID: head.EventID, EventType: head.EventType, UserID: head.UserID, TaskID: head.TaskID, OccurredAt: head.Timestamp}
	if json.Unmarshal(event, &more) == nil { // members with other types, of a later version, stay empty
		f.TaskVersion, f.Seq, f.Actor = more.TaskVersion, more.Seq, more.Actor
	}
	return f, nil
}

// differs returns the name of the first field in which two events differ, "" if there is none.
func (f Fields) differs(other Fields) string {
	switch {
	case f.EventID != other.EventID:
		return "event_id"
	case f.EventType != other.EventType:
		return "event_type"
	case f.UserID != other.UserID:
		return "user_id"
	case f.TaskID != other.TaskID:
		return "task_id"
	case f.TaskVersion != other.TaskVersion:
		return "task_version"
	case f.Seq != other.Seq:
		return "seq"
	case f.Actor != other.Actor:
		return "actor"
	case !f.OccurredAt.Equal(other.OccurredAt):
		return "occurred_at"
	}
	return ""
}
