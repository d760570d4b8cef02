package socket

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/taskwire/taskwire/pkg/events/live"
)

// Drain refuses new connections, closes every connection and waits until all have ended. It cuts those that are left when
// ctx is done. A second Drain returns at once.
func (p *Pool) Drain(ctx context.Context) {
	p.mu.Lock()
	if p.draining {
		p.mu.Unlock()
		return
	}
	p.draining = true
	p.signalEmpty()
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

// restarting returns a closing with a random retry, so that the clients do not return all at once.
func (p *Pool) restarting() live.Closing {
	c := live.Restarting.Closing()
	c.Retry = rand.N(p.set.Spread + 1)
	return c
}
