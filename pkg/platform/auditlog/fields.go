package auditlog

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
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

// lastOriginal is the schema_version of the original form of events, in which a time may have no zone and is in UTC.
const lastOriginal = 1

// FieldsOf derives the fields from an event's JSON, whatever its type. They are those that the database derives when it adds the
// entry, for every leaf that it takes. A time without a zone is in UTC in the original form of events. Ids are in
// their canonical form. The version, seq and actor of an event that has one of them in another type are empty, and an event
// without an actor was caused by its user.
func FieldsOf(event []byte) (Fields, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(event, &members); err != nil {
		return Fields{}, fmt.Errorf("the event is not a JSON object: %w", err)
	}
	var f Fields
	for name, to := range map[string]*string{"event_id": &f.EventID, "user_id": &f.UserID, "task_id": &f.TaskID} {
		id, err := member[string](members, name)
		if err == nil && id == "" && name == "task_id" {
			continue
		}
		parsed, invalid := uuid.Parse(id)
		if err != nil || invalid != nil {
			return Fields{}, fmt.Errorf("the event's %s is not a UUID", name)
		}
		*to = parsed.String()
	}
	var err error
	if f.EventType, err = member[string](members, "event_type"); err != nil {
		return Fields{}, err
	}
	if f.OccurredAt, err = instant(members); err != nil {
		return Fields{}, err
	}
	version, err1 := member[int64](members, "task_version")
	seq, err2 := member[int64](members, "seq")
	actor, err3 := member[string](members, "actor")
	if err1 == nil && err2 == nil && err3 == nil {
		f.TaskVersion, f.Seq, f.Actor = version, seq, actor
	}
	if f.Actor == "" {
		f.Actor = f.UserID
	}
	return f, nil
}

// member returns a member of an event, or the zero value if it is absent or null.
func member[T any](members map[string]json.RawMessage, name string) (value T, err error) {
	raw, ok := members[name]
	if !ok {
		return value, nil
	}
	if err := json.Unmarshal(raw, &value); err != nil {
		return value, fmt.Errorf("the event's %s has another type", name)
	}
	return value, nil
}

// instant returns the time of an event.
func instant(members map[string]json.RawMessage) (time.Time, error) {
	text, err := member[string](members, "timestamp")
	if err != nil {
		return time.Time{}, err
	}
	layouts := []string{time.RFC3339Nano}
	if version, err := member[int64](members, "schema_version"); err == nil && version <= lastOriginal {
		layouts = append(layouts, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999")
	}
	for _, layout := range layouts {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC().Truncate(time.Microsecond), nil
		}
	}
	return time.Time{}, errors.New("the event's timestamp is not a time")
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
