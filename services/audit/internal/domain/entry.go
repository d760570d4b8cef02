package domain

// This file decides what an entry contains.

import (
	"errors"
	"time"

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
	TaskID      string // "" for an event that is about no task
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
func NewEntry(raw []byte, now time.Time) (*Entry, error) {
	e := &Entry{RecordedAt: now.UTC().Truncate(time.Microsecond), Event: raw}
	if err := e.columns(raw); err != nil {
		return nil, err
	}
	e.LeafHash = tlog.RecordHash(e.Leaf())
	return e, nil
}

// Leaf returns the exact bytes that the tree hashes.
func (e *Entry) Leaf() []byte {
	return auditlog.Leaf{RecordedAt: e.RecordedAt, Event: e.Event}.Bytes()
}
