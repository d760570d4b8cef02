package edge

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// lingerWait is how long a connection with unread bytes stays half open, so that the peer reads the answer before it is told
// that its bytes were not wanted (RFC 9112, section 9.6).
const lingerWait = 500 * time.Millisecond

// conn is a client's connection.
type conn struct {
	net.Conn
	// over: the body of the last request was not read to its end. What still arrives, and what net/http has buffered, is a part
	// of it. net/http cannot know that: it does not see that a body of this package was closed early.
	over    atomic.Bool
	closing sync.Once
	upgrade func() // frees the place of an HTTP connection; may be nil
	release func() // frees all places; may be nil
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	if c.over.Load() {
		return 0, io.EOF
	}
	return c.Conn.Read(p)
}

// Close implements net.Conn. It frees the places at once, and closes a connection that has unread bytes a moment later.
func (c *conn) Close() (err error) {
	c.closing.Do(func() {
		if !c.over.Load() || c.CloseWrite() != nil {
			err = c.Conn.Close()
			c.free()
			return
		}
		time.AfterFunc(lingerWait, func() {
			_ = c.Conn.Close() // nobody waits for it any more
			c.free()
		})
	})
	return err
}

// CloseWrite is for net/http, which half closes a connection before it closes it.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

func (c *conn) free() {
	if c.release != nil {
		c.release()
	}
}

// upgraded is called when the connection is no longer one of HTTP.
func (c *conn) upgraded() {
	if c.upgrade != nil {
		c.upgrade()
	}
}

type connKey struct{}

// withConn keeps the connection in the contexts of its requests.
func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

func connOf(ctx context.Context) *conn {
	c, _ := ctx.Value(connKey{}).(*conn) // none on a listener that is not ours
	return c
}
