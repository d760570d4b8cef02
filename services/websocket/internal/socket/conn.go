package socket

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"github.com/taskwire/taskwire/services/websocket/internal/hub"
	"github.com/taskwire/taskwire/services/websocket/internal/wire"
)

// keptQueue is the capacity of an empty queue that a connection keeps for its next frame; a larger one is given back.
const keptQueue = 4

// Conn is one connection.
type Conn struct {
	// ID names the connection in its welcome and in logs.
	ID string

	pool    *Pool
	ws      *websocket.Conn
	expires atomic.Int64 // when the token expires, Unix nanoseconds; 0: no token yet
	slot    int          // the tick of a heartbeat in which it is pinged
	pending bool         // guarded by pool.mu: it takes one of the places before authentication
	reads   rate         // only the reading goroutine

	mu      sync.Mutex
	queue   []*wire.Frame
	next    int // queue[next:] waits
	bytes   int // of what waits
	open    bool
	writing bool // a writer runs
	ping    bool
	waiter  hub.Waker
	closing *wire.Closing // set by the first Close
	over    bool          // the socket is closed
	cut     *time.Timer
}

var _ hub.Sink = (*Conn)(nil)

// Open implements hub.Sink.
func (c *Conn) Open(seq int64) {
	welcome, err := wire.Welcome(seq, c.ID, c.pool.set.Heartbeat)
	if err != nil {
		c.Close(wire.Close(wire.Unavailable))
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queue = append([]*wire.Frame{welcome}, c.queue[c.next:]...)
	c.next = 0
	c.bytes += welcome.Size
	c.open = true
	c.start()
}

// Push implements hub.Sink.
func (c *Conn) Push(f *wire.Frame) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing != nil || c.over {
		return true // it has ended: the client asks again for what it does not get
	}
	waiting := len(c.queue) - c.next
	if waiting >= c.pool.set.QueueFrames || (waiting > 0 && c.bytes+f.Size > c.pool.set.QueueBytes) {
		return false
	}
	c.queue = append(c.queue, f)
	c.bytes += f.Size
	if c.open {
		c.start()
	}
	return true
}

// Room implements hub.Sink.
func (c *Conn) Room(w hub.Waker) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.queue)-c.next <= c.pool.set.QueueFrames/2 && c.bytes <= c.pool.set.QueueBytes/2 {
		return true
	}
	c.waiter = w
	return false
}

// Close implements hub.Sink. What waits is dropped: it would only delay the reason.
func (c *Conn) Close(why wire.Closing) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing != nil || c.over {
		return
	}
	c.closing = &why
	c.queue, c.next, c.bytes, c.waiter = nil, 0, 0, nil
	c.pool.metrics.closes.WithLabelValues(why.Code.String()).Inc()
	// The writer may be stuck in a write: after WriteWait it gives up, and the peer has CloseWait after that.
	c.cut = time.AfterFunc(c.pool.set.WriteWait+c.pool.set.CloseWait, func() { c.ws.NetConn().Close() })
	c.start()
}

// Say queues a frame that answers the client itself; one that does not fit is left out, with the connection ended.
func (c *Conn) Say(f *wire.Frame) {
	if !c.Push(f) {
		c.Close(wire.Close(wire.Slow))
	}
}

// Ping asks the peer for a sign of life.
func (c *Conn) Ping() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing == nil && !c.over {
		c.ping = true
		c.start()
	}
}

// start runs a writer unless one runs. c.mu is held.
func (c *Conn) start() {
	if !c.writing {
		c.writing = true
		go c.write()
	}
}

// write writes what waits and ends when nothing does.
func (c *Conn) write() {
	for {
		frame, what := c.take()
		var err error
		switch what {
		case takeNothing:
			return
		case takeFrame:
			err = c.writeFrame(frame)
		case takePing:
			err = c.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(c.pool.set.WriteWait))
		case takeClose:
			c.writeClose()
			return
		}
		if err != nil {
			c.ws.NetConn().Close() // the reader sees it and ends the connection
			return
		}
	}
}

func (c *Conn) writeFrame(f *wire.Frame) error {
	if err := c.ws.SetWriteDeadline(time.Now().Add(c.pool.set.WriteWait)); err != nil {
		return err
	}
	if err := c.ws.WritePreparedMessage(f.Prepared); err != nil {
		return err
	}
	if !f.Made.IsZero() {
		c.pool.metrics.commitToSocket.Observe(max(0, time.Since(f.Made).Seconds())) // a clock ahead of ours is no latency
	}
	return nil
}

// writeClose says why, in both forms, and gives the peer a moment to answer.
func (c *Conn) writeClose() {
	wait := c.pool.set.CloseWait
	_ = c.ws.SetWriteDeadline(time.Now().Add(wait)) // an error shows in the write
	err := c.ws.WritePreparedMessage(c.closing.Frame().Prepared)
	if err == nil {
		err = c.ws.WriteControl(websocket.CloseMessage, c.closing.Payload(), time.Now().Add(wait))
	}
	if err != nil {
		c.ws.NetConn().Close()
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.over {
		c.cut.Reset(wait)
	}
}

type taken int

const (
	takeNothing taken = iota
	takeFrame
	takePing
	takeClose
)

// take is the writer's next work; with none the writer has ended when take returns.
func (c *Conn) take() (*wire.Frame, taken) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.over: // writing stays set: no writer starts any more
		return nil, takeNothing
	case c.closing != nil: // the same: nothing is written after a close frame
		return nil, takeClose
	case c.ping:
		c.ping = false
		return nil, takePing
	case !c.open || c.next == len(c.queue):
		c.writing = false
		return nil, takeNothing
	}
	frame := c.queue[c.next]
	c.queue[c.next] = nil
	c.next++
	c.bytes -= frame.Size
	waiting := len(c.queue) - c.next
	if waiting == 0 {
		c.next = 0
		c.queue = c.queue[:0]
		if cap(c.queue) > keptQueue {
			c.queue = nil
		}
	}
	if c.waiter != nil && waiting <= c.pool.set.QueueFrames/4 && c.bytes <= c.pool.set.QueueBytes/4 {
		go c.waiter.Wake()
		c.waiter = nil
	}
	return frame, takeFrame
}
