package edge

import (
	"bufio"
	"net"
	"net/http"
	"time"
)

// answer gives each part of an answer a time of its own, and stops waiting for a body when the answer begins.
type answer struct {
	http.ResponseWriter
	control *http.ResponseController // of the server's own ResponseWriter
	wait    Patience
	body    *body // nil: the request has none
	duplex  bool  // the handler reads the body while it answers
	begun   bool
	taken   bool // hijacked
}

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	if status >= http.StatusOK {
		a.begin()
	}
	a.ResponseWriter.WriteHeader(status)
}

// begin is called before the first bytes of an answer. Without full duplex the server reads the rest of the body now.
func (a *answer) begin() {
	if !a.begun {
		a.begun = true
		a.extend()
		if a.body != nil && !a.duplex {
			a.body.abandon()
		}
	}
}

// extend gives the next part of the answer its time.
func (a *answer) extend() {
	if a.taken {
		return
	}
	_ = a.control.SetWriteDeadline(time.Now().Add(a.wait.Write)) // not every server has deadlines
}

// Write implements http.ResponseWriter.
func (a *answer) Write(p []byte) (written int, err error) {
	a.begin()
	for {
		part := p[:min(len(p), writePart)]
		a.extend()
		n, err := a.ResponseWriter.Write(part)
		written += n
		if err != nil || len(part) == len(p) {
			return written, err
		}
		p = p[len(part):]
	}
}

// FlushError is for http.ResponseController.
func (a *answer) FlushError() error {
	a.begin()
	a.extend()
	return a.control.Flush()
}

// Flush implements http.Flusher.
func (a *answer) Flush() { _ = a.FlushError() } // a later write returns the error

// Hijack implements http.Hijacker. The owner of the connection sets its deadlines.
func (a *answer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := a.control.Hijack()
	a.taken = a.taken || err == nil
	return c, rw, err
}

// EnableFullDuplex is for http.ResponseController.
func (a *answer) EnableFullDuplex() error {
	err := a.control.EnableFullDuplex()
	a.duplex = a.duplex || err == nil
	return err
}

// SetReadDeadline is for http.ResponseController. A handler that calls it decides from then on how slowly the body may
// arrive.
func (a *answer) SetReadDeadline(t time.Time) error {
	if a.body != nil {
		a.body.take()
	}
	return a.control.SetReadDeadline(t)
}

// end is called when the handler has returned. It waits for the rest of the body, as the server would without a time limit.
func (a *answer) end(c *conn) {
	if a.body != nil {
		if a.duplex && a.begun {
			a.Flush() // the client may read the answer before it ends its request
		}
		if !a.body.rest() && c != nil {
			c.over.Store(true)
		}
	}
	a.extend() // for what the server still holds
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
