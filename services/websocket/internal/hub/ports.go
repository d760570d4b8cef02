package hub

import (
	"context"
	"errors"
	"math"

	"github.com/taskwire/taskwire/pkg/events/live"
	"github.com/taskwire/taskwire/services/websocket/internal/wire"
)

// This file has what the hub needs from outside: a source for each stream, and a sink for each connection.

var (
	// ErrPruned says that the source no longer has the events after since.
	ErrPruned = errors.New("events are pruned")
	// ErrNoAccount says that the user's account has ended.
	ErrNoAccount = errors.New("there is no such account")
)

// Newest as since asks a source for the newest number and for no events.
const Newest = math.MaxInt64

// Event is one event of a stream.
type Event struct {
	Seq   int64 // its number in the stream
	Frame *wire.Frame
}

// Page is a part of a user's stream: contiguous and ascending, with each number above the since of the call.
type Page struct {
	Events []Event
	Head   int64  // the user's newest number
	Unread *int64 // of the stream of notifications: how many the user has not read; nil when the source does not say it
	// Ended are sessions of the user that have ended, of the stream of tasks. A page has those that ended before its events.
	Ended []string
}

// Source is the service that keeps a stream.
type Source interface {
	// Read returns up to limit events after since. The error is ErrPruned when the source no longer has them, and
	// ErrNoAccount when it never will again. Any other error is temporary.
	Read(ctx context.Context, userID string, since int64, limit int) (Page, error)
	// Heads returns the newest number of each user, 0 for a user without events. A user that is missing in the answer has no
	// account. One call may name MaxHeads users.
	Heads(ctx context.Context, userIDs []string) (map[string]int64, error)
}

// Sink is a connection. Its methods never wait for the network and never call the hub.
type Sink interface {
	// Open sends the welcome frame. Frames that were pushed before follow it. The sink adds what it knows itself.
	Open(w live.Welcome)
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
