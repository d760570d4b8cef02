package domain

// This file records what auditors read.

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/events"
)

// EventAuditRead is the type of the entry of a read. No topic has it: this service makes it.
const EventAuditRead = "audit_read"

const (
	// readWindow is how long an entry stands for further reads that ask for the same, such as the later pages of a list. A
	// walk through the log therefore adds one entry a minute and comes to its end, and a page that is loaded again and again
	// does not fill the log.
	readWindow = time.Minute
	// readsPerWindow bounds the entries that one reader adds in that time: no reader can grow the log without end.
	readsPerWindow = 300
	// maxReadFilter bounds the filter in an entry, in bytes. A query of the API is shorter.
	maxReadFilter = 4 << 10
)

// Read is a read of entries that are not only the reader's own.
type Read struct {
	Reader  string // the user id of the auditor
	Session string // of the access token; "" for another kind of token
	Token   string // of a personal API token
	Address string
	Route   string
	Filter  string // the query, without its cursor and its limit
}

// TooManyReadsError says that a reader has to wait, because each of its reads would add an entry.
type TooManyReadsError struct{ Wait time.Duration }

func (e *TooManyReadsError) Error() string { return "too many different reads of the audit log" }

// Reads records the reads of auditors in the log. It is safe for concurrent use.
type Reads struct {
	add func(ctx context.Context, e *Entry) error
	now func() time.Time

	mu    sync.Mutex
	since time.Time         // the beginning of the window
	known map[Read]struct{} // recorded in the window
	count map[string]int    // of them, by reader
}

// NewReads returns a recorder that adds entries with add.
func NewReads(add func(ctx context.Context, e *Entry) error, now func() time.Time) *Reads {
	return &Reads{add: add, now: now, known: map[Read]struct{}{}, count: map[string]int{}}
}

// Record returns nil when the read is in the log: it was committed now or, for a read that asks for the same, in the last
// minute. It returns a *TooManyReadsError for a reader with too many different reads in a minute.
func (r *Reads) Record(ctx context.Context, read Read) error {
	if len(read.Filter) > maxReadFilter {
		read.Filter = read.Filter[:maxReadFilter]
	}
	now := r.now()
	question := read // whichever session asks
	question.Session, question.Token = "", ""
	known, err := r.take(question, now)
	if err != nil || known {
		return err
	}
	raw, err := json.Marshal(readEvent{
		EventID: uuid.Must(uuid.NewV7()).String(), SchemaVersion: events.SchemaVersion, EventType: EventAuditRead, UserID: read.Reader,
		Timestamp: now.UTC(), Actor: read.Reader, SessionID: read.Session, TokenID: read.Token, Address: read.Address, Route: read.Route, Filter: read.Filter,
	})
	if err != nil {
		return fmt.Errorf("record a read: %w", err)
	}
	e, err := NewEntry(raw, now)
	if err != nil {
		return fmt.Errorf("record a read: %w", err)
	}
	if err := r.add(ctx, e); err != nil {
		return fmt.Errorf("record a read: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known[question] = struct{}{} // only after the commit: another read with the same question records itself until then
	return nil
}

// take counts a read that has to be recorded.
func (r *Reads) take(read Read, now time.Time) (known bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.since) >= readWindow {
		r.since = now
		clear(r.known)
		clear(r.count)
	}
	if _, known := r.known[read]; known {
		return true, nil
	}
	if r.count[read.Reader] >= readsPerWindow {
		return false, &TooManyReadsError{Wait: r.since.Add(readWindow).Sub(now)}
	}
	r.count[read.Reader]++
	return false, nil
}

// readEvent is the event of a read, as the log keeps it.
type readEvent struct {
	EventID       string    `json:"event_id"`
	SchemaVersion int       `json:"schema_version"`
	EventType     string    `json:"event_type"`
	UserID        string    `json:"user_id"`
	Timestamp     time.Time `json:"timestamp"`
	Actor         string    `json:"actor"`
	SessionID     string    `json:"session_id,omitempty"`
	TokenID       string    `json:"token_id,omitempty"`
	Address       string    `json:"address"`
	Route         string    `json:"route"`
	Filter        string    `json:"filter,omitempty"`
}
