package socket

import (
	"errors"
	"sync"

	"github.com/google/uuid"
	"github.com/gorilla/websocket"
	"github.com/prometheus/client_golang/prometheus"
)

// This file decides how many connections there may be, and keeps the set of them.

// The reasons why Reserve refuses a connection.
var (
	ErrFull     = errors.New("the process has the largest allowed number of connections")
	ErrPending  = errors.New("too many connections are not authenticated yet")
	ErrDraining = errors.New("the service is shutting down")
)

// Pool is the set of the process's connections. It is safe for concurrent use.
type Pool struct {
	set     Settings
	metrics metrics

	mu       sync.Mutex
	conns    map[*Conn]struct{}
	reserved int // open connections and running handshakes
	pending  int // of them, without a valid token
	slots    int
	draining bool
	empty    chan struct{} // closed when nothing is reserved any more, after Drain
}

// NewPool returns a pool. Run sends its heartbeats.
func NewPool(set Settings, reg prometheus.Registerer) *Pool {
	return &Pool{set: set, conns: map[*Conn]struct{}{}, empty: make(chan struct{}), metrics: newMetrics(reg)}
}

// Reserve reserves a place before the handshake. If it returns nil, Add or Release must follow.
func (p *Pool) Reserve() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.draining:
		return ErrDraining
	case p.reserved >= p.set.MaxConns:
		return ErrFull
	case p.pending >= p.set.MaxPending:
		return ErrPending
	}
	p.reserved++
	p.pending++
	return nil
}

// Release frees the place of a failed handshake.
func (p *Pool) Release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reserved--
	p.pending--
	p.signalEmpty()
}

// Add adds the connection of a successful handshake. Finish must follow when Read has returned an error.
func (p *Pool) Add(ws *websocket.Conn) *Conn {
	c := &Conn{ID: uuid.NewString(), pool: p, ws: ws, pending: true}
	c.prepareReads()
	p.mu.Lock()
	p.slots++
	c.slot = p.slots
	p.conns[c] = struct{}{}
	draining := p.draining
	p.metrics.conns.Set(float64(len(p.conns)))
	p.mu.Unlock()
	if draining { // it was reserved just before Drain
		c.Close(p.restarting())
	}
	return c
}

// remove removes a connection and frees its place. Removing it again does nothing.
func (p *Pool) remove(c *Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.conns[c]; !ok {
		return
	}
	delete(p.conns, c)
	p.metrics.conns.Set(float64(len(p.conns)))
	p.reserved--
	if c.pending {
		p.pending--
	}
	p.signalEmpty()
}

// signalEmpty tells Drain that nothing is reserved any more. The caller holds p.mu.
func (p *Pool) signalEmpty() {
	if p.draining && p.reserved == 0 {
		close(p.empty)
	}
}

// all returns a snapshot of the connections.
func (p *Pool) all() []*Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]*Conn, 0, len(p.conns))
	for c := range p.conns {
		all = append(all, c)
	}
	return all
}
