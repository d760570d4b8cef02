package edge

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

// body is the body of a request that must keep a pace. Another goroutine than the handler's may read it, as that of a
// proxy's transport does.
type body struct {
	io.ReadCloser
	control *http.ResponseController // of the server's own ResponseWriter
	pace    Pace
	drain   time.Duration // for the rest that nobody reads
	invited bool          // the client sends nothing before it is read (Expect: 100-continue), and it was not read

	got    int64         // used by the reader only
	waited time.Duration // used by the reader only

	mu       sync.Mutex
	own      bool      // the handler sets the deadlines
	reading  bool      // a read is in progress
	deadline time.Time // of the last read
	until    time.Time // no read waits longer than this; zero: no such limit
	ended    bool      // all of it was read
	err      error     // why it cannot be read
	closed   bool      // the handler has returned
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	begin := time.Now()
	if err := b.prepare(begin); err != nil {
		return 0, err
	}
	n, err := b.ReadCloser.Read(p)
	b.got, b.waited = b.got+int64(n), b.waited+time.Since(begin)
	return n, b.finish(err)
}

// prepare sets the deadline of a read that begins now.
func (b *body) prepare(now time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return http.ErrBodyReadAfterClose
	case b.err != nil:
		return b.err
	}
	b.reading, b.invited = true, false
	if b.ended || b.own || b.pace.Stall == 0 {
		return nil
	}
	patience := b.pace.patience(b.got, b.waited)
	if patience <= 0 { // a buffer may still have bytes, which an expired deadline does not stop
		b.err, b.reading = ErrSlowBody, false
		_ = b.control.SetReadDeadline(now)
		return b.err
	}
	until := now.Add(patience)
	if !b.until.IsZero() && b.until.Before(until) {
		until = b.until
	}
	b.deadline = until
	_ = b.control.SetReadDeadline(until) // not every server has deadlines
	return nil
}

// finish records how a read has ended, and with it perhaps the body.
func (b *body) finish(err error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reading = false
	if err == nil {
		return nil
	}
	if errors.Is(err, io.EOF) {
		b.ended = true
		if !b.closed { // else the connection is already that of the next request
			_ = b.control.SetReadDeadline(time.Time{}) // the server watches the connection now, and would end the request
		}
		return err
	}
	b.err = slow(err)
	return b.err
}

// take leaves the deadlines to the handler.
func (b *body) take() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.own = true
}

// abandon gives the rest of the body a last time to arrive: nobody wants it any more.
func (b *body) abandon() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended || b.err != nil || !b.until.IsZero() {
		return
	}
	b.until = time.Now().Add(b.drain)
	if b.reading && !b.own && b.deadline.Before(b.until) {
		b.until = b.deadline
	}
	b.own = false
	_ = b.control.SetReadDeadline(b.until)
}

// Close implements io.Closer. It reads the rest of a short body, so that the connection can be used again. The server's own
// Close would not say whether it came to the end.
func (b *body) Close() error {
	b.abandon()
	b.mu.Lock()
	skip := b.ended || b.err != nil || b.invited || b.closed
	b.mu.Unlock()
	if !skip {
		_, err := io.CopyN(io.Discard, b.ReadCloser, drainBytes)
		if err == nil {
			err = http.ErrBodyReadAfterClose
		}
		_ = b.finish(err) // rest asks for it
	}
	err := b.ReadCloser.Close()
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil && b.err == nil {
		b.err = slow(err)
	}
	return err
}

// rest reads what is left of the body when the handler has returned. It reports whether the body has ended, so that the
// connection can be used again.
func (b *body) rest() bool {
	b.abandon()
	b.mu.Lock()
	ended, lost := b.ended, b.err != nil || b.invited
	b.closed = true
	b.mu.Unlock()
	if ended || lost {
		return ended
	}
	_, err := io.CopyN(io.Discard, b.ReadCloser, drainBytes)
	if !errors.Is(err, io.EOF) && !b.closedAtEnd(err) {
		return false
	}
	_ = b.control.SetReadDeadline(time.Time{}) // not every server has deadlines
	return true
}

// closedAtEnd reports whether an error of a read says that the server has closed the body, which it does when it has read it
// to its end. When it was Close that closed the body, before its end, Close has set err.
func (b *body) closedAtEnd(err error) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return errors.Is(err, http.ErrBodyReadAfterClose) && b.err == nil
}
