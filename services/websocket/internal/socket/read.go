package socket

import (
	"errors"
	"io"
	"time"

	"github.com/gorilla/websocket"

	"github.com/taskwire/taskwire/pkg/events/live"
)

// This file has the reading side: what a client may send, how much of it, and how long it may be silent.

// prepareReads sets the limits of the reading side.
func (c *Conn) prepareReads() {
	c.ws.SetReadLimit(c.pool.set.ReadLimit)
	pong := c.ws.PingHandler() // answers with a pong
	c.ws.SetPingHandler(func(data string) error {
		if err := c.received(); err != nil {
			return err
		}
		return pong(data)
	})
	c.ws.SetPongHandler(func(string) error { return c.received() })
}

// received extends the time that the peer may be silent. A part of a message does not.
func (c *Conn) received() error { return c.ws.SetReadDeadline(time.Now().Add(c.pool.set.peerWait())) }

// Read returns the client's next text frame. An error means that the connection has ended. If the client broke the
// protocol, the close code has been sent.
func (c *Conn) Read() ([]byte, error) {
	for {
		kind, data, err := c.ws.ReadMessage()
		if err == nil {
			err = c.received()
		}
		switch {
		case errors.Is(err, errTooManyFrames):
			c.Close(live.TooManyFrames.Closing())
			c.linger()
			return nil, err
		case errors.Is(err, websocket.ErrReadLimit):
			c.linger() // the library has sent the close frame
			return nil, err
		case err != nil:
			return nil, err
		case c.isClosing(): // only the peer's close frame matters now
		case kind != websocket.TextMessage:
			c.Close(live.BadFrame.Closing().With("Frames are text."))
		default:
			return data, nil
		}
	}
}

// linger reads and discards what the peer still sends, up to lingerBytes and CloseWait. Closing a socket with unread bytes
// sends a reset, and the reset discards the close frame on the peer's side. A peer that sends without end gets floodPause to
// read it.
func (c *Conn) linger() {
	conn := c.ws.NetConn()
	if counted, ok := conn.(*frames); ok {
		conn = counted.Conn
	}
	if err := conn.SetReadDeadline(time.Now().Add(c.pool.set.CloseWait)); err != nil {
		return
	}
	// An error means that the peer has gone, or the time is over.
	if n, err := io.Copy(io.Discard, io.LimitReader(conn, lingerBytes)); n == lingerBytes && err == nil {
		time.Sleep(floodPause)
	}
}
