package domain

// This file reads the columns of an entry from its event, whatever its type. The database derives the same ones from the
// leaf (postgres/migrations/00002_append.sql); a test compares the two.

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// lastOriginal is the schema_version of the original form of events, in which a time may have no zone and is in UTC.
const lastOriginal = 1

// columns reads the columns from the event's JSON. A member that this version does not know in its form stays empty: the
// log keeps events of later versions.
func (e *Entry) columns(raw []byte) error {
	var event map[string]json.RawMessage
	if err := json.Unmarshal(raw, &event); err != nil {
		return fmt.Errorf("%w: it is not a JSON object", ErrUnstorable)
	}
	for name, to := range map[string]*string{"event_id": &e.EventID, "user_id": &e.UserID, "task_id": &e.TaskID} {
		id, err := read[string](event, name)
		if err != nil {
			return err
		}
		if id == "" && name == "task_id" {
			continue // an event of an account is about no task
		}
		parsed, err := uuid.Parse(id)
		if err != nil || len(id) != len(uuid.Nil.String()) {
			return fmt.Errorf("%w: %s is not a UUID", ErrUnstorable, name)
		}
		*to = parsed.String()
	}
	var err error
	if e.EventType, err = read[string](event, "event_type"); err != nil || e.EventType == "" {
		return fmt.Errorf("%w: event_type is not a text", ErrUnstorable)
	}
	if e.OccurredAt, err = instant(event); err != nil {
		return err
	}
	version, err1 := read[int64](event, "task_version")
	seq, err2 := read[int64](event, "seq")
	actor, err3 := read[string](event, "actor")
	if err1 == nil && err2 == nil && err3 == nil {
		e.TaskVersion, e.Seq, e.Actor = version, seq, actor
	}
	if e.Actor == "" {
		e.Actor = e.UserID // the original form has no actor, because only the owner could change a task
	}
	return nil
}

// read returns a member of an event, or the zero value where it is absent or null.
func read[T any](event map[string]json.RawMessage, name string) (value T, err error) {
	raw, ok := event[name]
	if !ok {
		return value, nil
	}
	if err := json.Unmarshal(raw, &value); err != nil {
		return value, fmt.Errorf("%w: %s has another type", ErrUnstorable, name)
	}
	return value, nil
}

// instant returns the time of an event, in the precision of Postgres.
func instant(event map[string]json.RawMessage) (time.Time, error) {
	text, err := read[string](event, "timestamp")
	if err != nil {
		return time.Time{}, err
	}
	layouts := []string{time.RFC3339Nano}
	if version, err := read[int64](event, "schema_version"); err == nil && version <= lastOriginal {
		layouts = append(layouts, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999")
	}
	for _, layout := range layouts {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC().Truncate(time.Microsecond), nil
		}
	}
	return time.Time{}, fmt.Errorf("%w: timestamp is not a time", ErrUnstorable)
}
