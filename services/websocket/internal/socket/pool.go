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
	ErrAddress  = errors.New("too many connections from this address")
	ErrDraining = errors.New("the service is shutting down")
)

// Pool is the set of the process's connections. It is safe for concurrent use.
type Pool struct {
	set     Settings
	metrics metrics

	mu       sync.Mutex
	conns    map[*Conn]struct{}
	reserved places // open connections and running handshakes
	pending  places // of them, those without a valid token
	slots    int
	draining bool
	empty    chan struct{} // closed when nothing is reserved any more, after Drain
}

// places counts connections, together and by address. The pool's mutex guards it.
type places struct {
	all int
	of  map[string]int
}

func (p *places) take(address string) {
	p.all++
	p.of[address]++
}

func (p *places) give(address string) {
	p.all--
	if p.of[address]--; p.of[address] <= 0 {
		delete(p.of, address)
	}
}

// NewPool returns a pool. Run sends its heartbeats.
func NewPool(set Settings, reg prometheus.Registerer) *Pool {
	return &Pool{
		set: set, conns: map[*Conn]struct{}{}, empty: make(chan struct{}), metrics: newMetrics(reg),
		reserved: places{of: map[string]int{}}, pending: places{of: map[string]int{}},
	}
}

// Reserve reserves a place for a client of that address before the handshake. If it returns nil, Add or Release must follow.
func (p *Pool) Reserve(address string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.draining:
		return ErrDraining
	case p.reserved.of[address] >= p.set.MaxPerAddress, p.pending.of[address] >= p.set.MaxPendingPerAddress:
		return ErrAddress
	case p.reserved.all >= p.set.MaxConns:
		return ErrFull
	case p.pending.all >= p.set.MaxPending:
		return ErrPending
	}
	p.reserved.take(address)
	p.pending.take(address)
	return nil
}

// Release frees the place of a failed handshake.
func (p *Pool) Release(address string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reserved.give(address)
	p.pending.give(address)
	p.signalEmpty()
}

// Add adds the connection of a successful handshake. Finish must follow when Read has returned an error.
func (p *Pool) Add(ws *websocket.Conn, address string) *Conn {
	c := &Conn{ID: uuid.NewString(), pool: p, ws: ws, address: address, pending: true}
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
	p.reserved.give(c.address)
	if c.pending {
		p.pending.give(c.address)
	}
	p.signalEmpty()
}

// signalEmpty tells Drain that nothing is reserved any more. The caller holds p.mu.
func (p *Pool) signalEmpty() {
	if p.draining && p.reserved.all == 0 {
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
