package domain

// This file decides what an entry contains.

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/taskwire/taskwire/pkg/events"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/taskwire/taskwire/pkg/platform/auditlog"
)

// ErrUnstorable is wrapped when an event can never be stored as an entry, so a redelivery fails too.
var ErrUnstorable = errors.New("event cannot be stored in the audit log")

// Entry is one event in the log.
type Entry struct {
	Position    int64 // 0-based, without gaps; set by the store
	EventID     string
	UserID      string
	TaskID      string
	EventType   string
	TaskVersion int64 // 0 in the original form of the event
	Seq         int64 // 0 in the original form of the event
	OccurredAt  time.Time
	RecordedAt  time.Time // UTC, whole microseconds
	Actor       string
	Event       []byte // the event's JSON as received; part of the leaf
	LeafHash    tlog.Hash
}

// NewEntry makes the entry of an event that was received as raw at the given time. Ids are stored in their canonical
// form, so that two spellings of an id are equal.
func NewEntry(ev events.TaskEvent, raw []byte, now time.Time) (*Entry, error) {
	e := &Entry{
		EventType: string(ev.EventType), TaskVersion: ev.TaskVersion, Seq: ev.Seq, Actor: ev.Actor,
		OccurredAt: ev.Timestamp.UTC().Truncate(time.Microsecond), RecordedAt: now.UTC().Truncate(time.Microsecond), Event: raw,
	}
	for _, id := range []struct {
		name string
		from string
		to   *string
	}{{"event_id", ev.EventID, &e.EventID}, {"user_id", ev.UserID, &e.UserID}, {"task_id", ev.TaskID, &e.TaskID}} {
		parsed, err := uuid.Parse(id.from)
		if err != nil {
			return nil, fmt.Errorf("%w: %s is not a UUID", ErrUnstorable, id.name)
		}
		*id.to = parsed.String()
	}
	if e.Actor == "" {
		e.Actor = e.UserID // the original form has no actor, because only the owner could change a task
	}
	e.LeafHash = tlog.RecordHash(e.Leaf())
	return e, nil
}

// Leaf returns the exact bytes that the tree hashes.
func (e *Entry) Leaf() []byte {
	return auditlog.Leaf{RecordedAt: e.RecordedAt, Event: e.Event}.Bytes()
}
