package socket

import (
	"errors"
	"io"
	"net"
	"time"

	"github.com/gorilla/websocket"

	"github.com/taskwire/taskwire/services/websocket/internal/wire"
)

// lingerBytes is how much of an oversized frame is read away, so that the close frame is not overtaken by a reset.
const lingerBytes = 256 << 10

var errTooManyFrames = errors.New("too many frames")

// rate counts a client's frames in a second.
type rate struct {
	since time.Time
	count int
}

func (r *rate) allow(perSecond int, now time.Time) bool {
	if now.Sub(r.since) >= time.Second {
		r.since, r.count = now, 0
	}
	r.count++
	return r.count <= perSecond
}

// prepareReads sets what the reading goroutine obeys.
func (c *Conn) prepareReads() {
	c.ws.SetReadLimit(c.pool.set.ReadLimit)
	pong := c.ws.PingHandler() // answers with a pong
	c.ws.SetPingHandler(func(data string) error {
		if err := c.alive(); err != nil {
			return err
		}
		return pong(data)
	})
	c.ws.SetPongHandler(func(string) error { return c.alive() })
}

// alive counts a frame of the peer and gives it its time anew.
func (c *Conn) alive() error {
	now := time.Now()
	if !c.reads.allow(c.pool.set.Frames, now) {
		return errTooManyFrames
	}
	return c.ws.SetReadDeadline(now.Add(c.pool.set.peerWait()))
}

// Read returns the client's next text frame. An error means that the connection is over; what it breaks of the protocol
// has been answered with a close code.
func (c *Conn) Read() ([]byte, error) {
	for {
		kind, data, err := c.ws.ReadMessage()
		if err == nil {
			err = c.alive()
		}
		switch {
		case errors.Is(err, errTooManyFrames):
			c.Close(wire.Close(wire.TooManyFrames))
			c.linger()
			return nil, err
		case errors.Is(err, websocket.ErrReadLimit):
			c.linger() // the library has sent the close frame
			return nil, err
		case err != nil:
			return nil, err
		case c.ended(): // only the peer's close frame is waited for
		case kind != websocket.TextMessage:
			c.Close(wire.Close(wire.BadFrame).With("Frames are text."))
		default:
			return data, nil
		}
	}
}

func (c *Conn) ended() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closing != nil
}

// linger reads what still comes, within bounds. A socket that is closed with unread bytes sends a reset, and the reset
// throws away the close frame on the peer's side.
func (c *Conn) linger() {
	conn := c.ws.NetConn()
	if err := conn.SetReadDeadline(time.Now().Add(c.pool.set.CloseWait)); err != nil {
		return
	}
	_, err := io.Copy(io.Discard, io.LimitReader(conn, lingerBytes))
	if err != nil && !errors.Is(err, net.ErrClosed) {
		return // a time-out, or the peer has gone
	}
}
