package main

import (
	"bytes"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// proxy stands between the service and Postgres and can be cut.
type proxy struct {
	listener net.Listener
	target   string
	away     atomic.Bool
	mu       sync.Mutex
	lost     string // see lose; "" for nothing
	conns    map[net.Conn]bool
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, target: target, conns: map[net.Conn]bool{}}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { p.serve(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		p.cut()
		serving.Wait()
	})
	return p
}

// cut ends all connections and refuses new ones until mend.
func (p *proxy) cut() {
	p.away.Store(true)
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
}

func (p *proxy) mend() { p.away.Store(false) }

// lose loses the answer to one COMMIT, with its connection: that of the transaction that sends text. The service commits
// other things too, when it likes.
func (p *proxy) lose(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lost = text
}

// loses says whether what a connection has sent holds the text, which is then found.
func (p *proxy) loses(sent []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lost == "" || !bytes.Contains(sent, []byte(p.lost)) {
		return false
	}
	p.lost = ""
	return true
}

// window is the last bytes of a stream: what is looked for may come in two parts.
type window []byte

const windowSize = 64

// with returns the window and what comes after it.
func (w *window) with(next []byte) []byte {
	all := append(*w, next...)
	*w = bytes.Clone(all[max(0, len(all)-windowSize):])
	return all
}

func (p *proxy) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns[c] = true
	return !p.away.Load()
}

func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	if !p.keep(client) {
		return
	}
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer server.Close()
	if !p.keep(server) {
		return
	}
	var both sync.WaitGroup
	var marked atomic.Bool // the answer to the COMMIT that follows is lost
	both.Go(func() {
		defer server.Close()
		buf := make([]byte, 64<<10)
		var last window
		for {
			n, err := client.Read(buf)
			if p.loses(last.with(buf[:n])) {
				marked.Store(true)
			}
			if _, werr := server.Write(buf[:n]); err != nil || werr != nil {
				return
			}
		}
	})
	both.Go(func() {
		defer client.Close()
		buf := make([]byte, 64<<10)
		var last window
		for {
			n, err := server.Read(buf)
			// The tag of CommandComplete, in whichever way the command was sent.
			if got := last.with(buf[:n]); marked.Load() && bytes.Contains(got, []byte("COMMIT\x00")) {
				return // the server has committed; nobody will ever hear of it
			}
			if _, werr := client.Write(buf[:n]); err != nil || werr != nil {
				return
			}
		}
	})
	both.Wait()
	_, _ = io.Copy(io.Discard, server)
}
