package tasks

// This file says what the use cases need of the store, and what passes between them in a write.

import (
	"context"

	"github.com/google/uuid"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/outbox"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/publish"
)

// Store stores tasks, the change log and the kept answers. It is safe for concurrent use.
type Store interface {
	Reader
	Deletions
	Pruner
	Refolder
	// Write runs decide in one transaction:
	//
	//  1. It looks up the keys of asks, locks their users, takes Numbers change numbers for each, counts Live, and reads their tasks.
	//     With wait it waits for the locks. Without wait it skips a user whose lock is held, and Seq in the answers of
	//     that user is nil.
	//  2. It calls decide with the answers, which have the order of asks.
	//  3. It commits the rows that decide saved in tx, with the events. When decide saved nothing, it rolls back and
	//     returns nil.
	//
	// When decide returns an error, Write rolls back and returns that error unchanged. An error that matches ErrRefused
	// means that the database refused a value.
	Write(ctx context.Context, asks []Ask, wait bool, decide func(tx Tx, answers []Answer) error) error
}

// Tx is a transaction that holds the locks of its users.
type Tx interface {
	publish.Tx
	// Mark returns a mark, and Rewind removes the events that were added after it.
	Mark() outbox.Mark
	Rewind(outbox.Mark)
	// Save stores the rows that are written with the commit.
	Save(w Writes)
	// Try writes the changes of one operation immediately. After an error that matches ErrRefused, the transaction is as
	// before the call. After any other error, the transaction must be rolled back.
	Try(ctx context.Context, changes []Change) error
}

// Ask names what the store must lock and read before a request can be decided.
type Ask struct {
	User    uuid.UUID
	Key     *IdempotencyKey // nil: the request has none
	Numbers int             // the largest number of change numbers that the request can need
	Live    int             // by how much the request is expected to change the number of tasks that are not deleted
	Tasks   []uuid.UUID     // the tasks that the request names
	Next    []uuid.UUID     // the tasks among them whose next occurrence the request may create
	Last    bool            // the request needs the user's last position
	Places  []Place         // the places whose neighbours the request needs
}

// Answer is the store's answer to an Ask.
type Answer struct {
	Kept KeptAnswer
	// Seq is the newest change number that the transaction took for all requests of the user together. It is nil when the
	// user has no account, or when another writer holds the user's lock and the transaction does not wait for it.
	Seq *int64
	// Live is the number of the user's tasks that are not deleted, with Live of all requests of the user; nil when Seq is nil.
	Live  *int64
	Zone  *string       // the user's time zone; nil when Seq is nil
	Tasks []domain.Task // the existing tasks for all Asks of the user, including tombstones; only in the first Ask's answer
	// Last is the last position of the user's tasks; nil when the Ask did not need it.
	Last    *Last
	Regions []Region // for each of the Places; only those of tasks that exist
}

// Last is the largest position of a user's tasks.
type Last struct{ Position *float64 } // nil: the user has no task

// Writes are the rows that a transaction writes.
type Writes struct {
	Changes []Change
	Keys    []KeptKey
	Unused  map[uuid.UUID]Unused // by user
}

// Unused is what a transaction gives back of what it took for a user.
type Unused struct {
	Numbers int64 // change numbers
	Live    int64 // of the number of tasks
}

// Change is one change of a task.
type Change struct {
	Task    domain.Task // after the change
	New     bool        // the task has no row yet
	Type    events.Type
	EventID string
	Payload []byte // the TaskUpdateEvent for the change log
}

// KeptKey is an answer that is kept for the key of its request.
type KeptKey struct {
	User     uuid.UUID
	Key      IdempotencyKey
	Answer   string
	Replaces bool // replaces an expired answer
}
