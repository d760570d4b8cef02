package socket

import (
	"time"

	"github.com/gorilla/websocket"

	"github.com/taskwire/taskwire/services/websocket/internal/wire"
)

// This file has the writer: a goroutine that runs while a connection has something to write.

// startWriter starts a writer unless one runs. The caller holds c.mu.
func (c *Conn) startWriter() {
	if !c.writing {
		c.writing = true
		go c.write()
	}
}

func (c *Conn) write() {
	for {
		frame, kind := c.nextWork()
		var err error
		switch kind {
		case noWork:
			return
		case frameWork:
			err = c.writeFrame(frame)
		case pingWork:
			err = c.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(c.pool.set.WriteWait))
		case closeWork:
			c.writeClose()
			return
		}
		if err != nil {
			c.ws.NetConn().Close() // the reader gets an error and ends the connection
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
		c.pool.metrics.commitToSocket.Observe(max(0, time.Since(f.Made).Seconds())) // the producer's clock may be ahead
	}
	return nil
}

// writeClose sends the error frame and the close frame, and gives the peer CloseWait to answer.
func (c *Conn) writeClose() {
	wait := c.pool.set.CloseWait
	_ = c.ws.SetWriteDeadline(time.Now().Add(wait)) // the write returns the error
	err := c.ws.WritePreparedMessage(wire.Error(*c.closing).Prepared)
	if err == nil {
		err = c.ws.WriteControl(websocket.CloseMessage, wire.ClosePayload(*c.closing), time.Now().Add(wait))
	}
	if err != nil {
		c.ws.NetConn().Close()
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.cut.Reset(wait)
	}
}

type workKind int

const (
	noWork workKind = iota
	frameWork
	pingWork
	closeWork
)

// nextWork returns what the writer does next. After noWork and closeWork, the writer ends.
func (c *Conn) nextWork() (*wire.Frame, workKind) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed: // c.writing stays true, so no writer starts again
		return nil, noWork
	case c.closing != nil: // c.writing stays true: nothing is written after a close frame
		return nil, closeWork
	case c.ping:
		c.ping = false
		return nil, pingWork
	case !c.open || c.next == len(c.queue):
		c.writing = false
		return nil, noWork
	}
	frame := c.queue[c.next]
	c.queue[c.next] = nil
	c.next++
	c.bytes -= frame.Size
	waiting := len(c.queue) - c.next
	if waiting == 0 {
		c.next = 0
		c.queue = c.queue[:0]
		if cap(c.queue) > initialQueue {
			c.queue = nil
		}
	}
	if c.waiter != nil && waiting <= c.pool.set.QueueFrames/4 && c.bytes <= c.pool.set.QueueBytes/4 {
		go c.waiter.Wake()
		c.waiter = nil
	}
	return frame, frameWork
}
