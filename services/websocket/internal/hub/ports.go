package hub

import (
	"context"
	"errors"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/events/live"
	"github.com/taskwire/taskwire/services/websocket/internal/wire"
)

// This file has what the hub needs from outside: a source of changes, and a sink for each connection.

var (
	// ErrPruned says that the source no longer has the changes after since.
	ErrPruned = errors.New("changes are pruned")
	// ErrNoAccount says that the user's account was deleted.
	ErrNoAccount = errors.New("there is no such account")
)

// Changes is a part of a user's history: contiguous and ascending, with each seq above the since of the call.
type Changes struct {
	Items []events.TaskUpdateEvent
	Head  int64 // the user's newest seq
}

// Source is the task API.
type Source interface {
	// Changes returns up to limit changes after since. The error is ErrPruned when the source no longer has them, and
	// ErrNoAccount when it never will again. Any other error is temporary.
	Changes(ctx context.Context, userID string, since int64, limit int) (Changes, error)
	// Heads returns the newest seq of each user. A user without changes may be missing. One call may name MaxHeads users.
	Heads(ctx context.Context, userIDs []string) (map[string]int64, error)
}

// Sink is a connection. Its methods never wait for the network and never call the hub.
type Sink interface {
	// Open sends the welcome frame. Frames that were pushed before follow it.
	Open(seq int64)
	// Push queues a frame. It returns false when the queue is full.
	Push(f *wire.Frame) bool
	// HasCapacity reports whether the queue can take replayed events and still has space for live ones. If it returns
	// false, the sink calls w.Wake once when it has capacity again, on another goroutine.
	HasCapacity(w Waker) bool
	// Close ends the connection.
	Close(c live.Closing)
}

// Waker is called when a sink has capacity again.
type Waker interface{ Wake() }
