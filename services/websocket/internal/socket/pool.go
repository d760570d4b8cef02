package socket

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/websocket"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/taskwire/taskwire/services/websocket/internal/wire"
)

// The reasons why a connection is not admitted.
var (
	ErrFull     = errors.New("the process has all the connections it may have")
	ErrPending  = errors.New("too many connections are not authenticated yet")
	ErrDraining = errors.New("the service is shutting down")
)

// Pool is all the connections of the process.
type Pool struct {
	set     Settings
	metrics metrics

	mu       sync.Mutex
	conns    map[*Conn]struct{}
	admitted int // places taken: open connections and handshakes under way
	pending  int // of them, without a valid token yet
	slots    int
	draining bool
	empty    chan struct{} // closed when the last one has left after Drain
}

type metrics struct {
	conns  prometheus.Gauge
	closes *prometheus.CounterVec

	commitToSocket prometheus.Histogram
}

// NewPool makes a pool; Run gives it its heartbeat.
func NewPool(set Settings, reg prometheus.Registerer) *Pool {
	p := &Pool{
		set: set, conns: map[*Conn]struct{}{}, empty: make(chan struct{}),
		metrics: metrics{
			conns: prometheus.NewGauge(prometheus.GaugeOpts{Name: "websocket_connections", Help: "Open connections."}),
			closes: prometheus.NewCounterVec(prometheus.CounterOpts{
				Name: "websocket_closes_total", Help: "Connections that the service closed, by code: slow, token_expired, …",
			}, []string{"code"}),
			commitToSocket: prometheus.NewHistogram(prometheus.HistogramOpts{
				Name: "websocket_commit_to_socket_seconds", Help: "From the making of an event, in the transaction of its change, to its write to an open connection; one for each connection.",
				Buckets: []float64{.0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
			}),
		},
	}
	reg.MustRegister(p.metrics.conns, p.metrics.closes, p.metrics.commitToSocket)
	for code := range wire.Codes {
		p.metrics.closes.WithLabelValues(code.String()) // 0 from the start: a rate needs a first point
	}
	return p
}

// Admit takes a place before the handshake. With nil, Adopt or Dismiss must follow.
func (p *Pool) Admit() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.draining:
		return ErrDraining
	case p.admitted >= p.set.MaxConns:
		return ErrFull
	case p.pending >= p.set.MaxPending:
		return ErrPending
	}
	p.admitted++
	p.pending++
	return nil
}

// Dismiss gives back a place after a handshake that failed.
func (p *Pool) Dismiss() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.admitted--
	p.pending--
	p.leave()
}

// Adopt makes the connection of an admitted handshake. Finish must follow when Read has returned an error.
func (p *Pool) Adopt(ws *websocket.Conn) *Conn {
	c := &Conn{ID: uuid.NewString(), pool: p, ws: ws, pending: true}
	c.prepareReads()
	p.mu.Lock()
	p.slots++
	c.slot = p.slots
	p.conns[c] = struct{}{}
	draining := p.draining
	p.metrics.conns.Set(float64(len(p.conns)))
	p.mu.Unlock()
	if draining { // it was admitted just before
		c.Close(p.restarting())
	}
	return c
}

// Authenticated says that the connection has a valid token until expires. It can be called again with a newer one.
func (c *Conn) Authenticated(expires time.Time) {
	c.expires.Store(expires.UnixNano())
	c.pool.mu.Lock()
	defer c.pool.mu.Unlock()
	if c.pending {
		c.pending = false
		c.pool.pending--
	}
}

// Finish gives everything of a connection back.
func (c *Conn) Finish() {
	_ = c.ws.Close() // it may be closed already
	c.mu.Lock()
	c.over = true
	if c.cut != nil {
		c.cut.Stop()
	}
	c.queue, c.waiter = nil, nil
	c.next, c.bytes = 0, 0
	c.mu.Unlock()
	p := c.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, here := p.conns[c]; !here {
		return
	}
	delete(p.conns, c)
	p.metrics.conns.Set(float64(len(p.conns)))
	p.admitted--
	if c.pending {
		p.pending--
	}
	p.leave()
}

// leave tells Drain when the last place is free. p.mu is held.
func (p *Pool) leave() {
	if p.draining && p.admitted == 0 {
		close(p.empty)
	}
}

// Run pings the connections and closes those whose token has expired, until ctx is done.
func (p *Pool) Run(ctx context.Context) error {
	ticker := time.NewTicker(p.set.Tick)
	defer ticker.Stop()
	beats := max(1, int(p.set.Heartbeat/p.set.Tick))
	for beat := 0; ; beat = (beat + 1) % beats {
		select {
		case <-ctx.Done():
			return nil
		case now := <-ticker.C:
			for _, c := range p.all() {
				expires := c.expires.Load()
				switch {
				case expires != 0 && now.UnixNano() >= expires:
					c.Close(wire.Close(wire.TokenExpired))
				case c.slot%beats == beat: // spread: not all pings at once
					c.Ping()
				}
			}
		}
	}
}

func (p *Pool) all() []*Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]*Conn, 0, len(p.conns))
	for c := range p.conns {
		all = append(all, c)
	}
	return all
}

// Drain admits nobody any more, ends every connection and waits until all have gone; those that are left when ctx is
// done are cut.
func (p *Pool) Drain(ctx context.Context) {
	p.mu.Lock()
	if p.draining {
		p.mu.Unlock()
		return
	}
	p.draining = true
	p.leave()
	p.mu.Unlock()
	for _, c := range p.all() {
		c.Close(p.restarting())
	}
	select {
	case <-p.empty:
	case <-ctx.Done():
		for _, c := range p.all() {
			c.ws.NetConn().Close()
		}
		timer := time.NewTimer(p.set.CloseWait) // their readers end at once
		defer timer.Stop()
		select {
		case <-p.empty:
		case <-timer.C:
		}
	}
}

// restarting asks the client to come back at a time of its own, so that not all come at once.
func (p *Pool) restarting() wire.Closing {
	c := wire.Close(wire.Restarting)
	c.Retry = rand.N(p.set.Spread + 1)
	return c
}
