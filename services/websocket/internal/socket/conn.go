package socket

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"github.com/taskwire/taskwire/pkg/events/live"
	"github.com/taskwire/taskwire/services/websocket/internal/hub"
	"github.com/taskwire/taskwire/services/websocket/internal/wire"
)

// This file has a connection's queue: what may be added to it, and when it is full.

// Conn is one connection. It is safe for concurrent use, except Read.
type Conn struct {
	// ID identifies the connection in its welcome frame and in logs.
	ID string

	pool    *Pool
	ws      *websocket.Conn
	expires atomic.Int64 // when the token expires, in Unix nanoseconds; 0: no token yet
	slot    int          // decides in which tick of a heartbeat it is pinged
	address string       // by which the client is counted
	pending bool         // no valid token yet; guarded by pool.mu

	mu      sync.Mutex
	queue   []*wire.Frame
	next    int // queue[next:] waits to be written
	bytes   int // of the waiting frames
	open    bool
	writing bool // a writer runs
	ping    bool // a ping is due
	waiter  hub.Waker
	closing *live.Closing // set by the first Close
	closed  bool          // the socket is closed
	cut     *time.Timer   // closes the socket of a peer that does not answer the close frame
}

var _ hub.Sink = (*Conn)(nil)

// Open implements hub.Sink.
func (c *Conn) Open(w live.Welcome) {
	w.ConnectionID, w.HeartbeatMS = c.ID, c.pool.set.Heartbeat.Milliseconds()
	welcome := wire.Welcome(w)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queue = append([]*wire.Frame{welcome}, c.queue[c.next:]...)
	c.next = 0
	c.bytes += welcome.Size
	c.open = true
	c.startWriter()
}

// Push implements hub.Sink. A connection that has ended accepts the frame: the client asks for it again.
func (c *Conn) Push(f *wire.Frame) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing != nil || c.closed {
		return true
	}
	waiting := len(c.queue) - c.next
	if waiting >= c.pool.set.QueueFrames || (waiting > 0 && c.bytes+f.Size > c.pool.set.QueueBytes) {
		return false
	}
	c.queue = append(c.queue, f)
	c.bytes += f.Size
	if c.open {
		c.startWriter()
	}
	return true
}

// HasCapacity implements hub.Sink. A replay leaves half of the queue to live events.
func (c *Conn) HasCapacity(w hub.Waker) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.queue)-c.next <= c.pool.set.QueueFrames/2 && c.bytes <= c.pool.set.QueueBytes/2 {
		return true
	}
	c.waiter = w
	return false
}

// Close implements hub.Sink. It drops the waiting frames, which would only delay the reason.
func (c *Conn) Close(why live.Closing) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing != nil || c.closed {
		return
	}
	c.closing = &why
	c.queue, c.next, c.bytes, c.waiter = nil, 0, 0, nil
	c.pool.metrics.closes.WithLabelValues(why.Code.String()).Inc()
	// A writer that is stuck in a write gives up after WriteWait. After that, the peer has CloseWait.
	c.cut = time.AfterFunc(c.pool.set.WriteWait+c.pool.set.CloseWait, func() { c.ws.NetConn().Close() })
	c.startWriter()
}

// Reply queues a frame that answers the client. If the queue is full, the connection is closed as slow.
func (c *Conn) Reply(f *wire.Frame) {
	if !c.Push(f) {
		c.Close(live.Slow.Closing())
	}
}

// Ping asks the peer for a pong.
func (c *Conn) Ping() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing == nil && !c.closed {
		c.ping = true
		c.startWriter()
	}
}

// Authenticated records a valid token that expires at the given time. A newer token calls it again.
func (c *Conn) Authenticated(expires time.Time) {
	c.expires.Store(expires.UnixNano())
	c.pool.mu.Lock()
	defer c.pool.mu.Unlock()
	if c.pending {
		c.pending = false
		c.pool.pending.give(c.address)
	}
}

// Finish closes the socket and frees everything that the connection holds.
func (c *Conn) Finish() {
	_ = c.ws.Close() // it may be closed already
	c.mu.Lock()
	c.closed = true
	if c.cut != nil {
		c.cut.Stop()
	}
	c.queue, c.waiter = nil, nil
	c.next, c.bytes = 0, 0
	c.mu.Unlock()
	c.pool.remove(c)
}

// isClosing reports whether Close was called.
func (c *Conn) isClosing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closing != nil
}
