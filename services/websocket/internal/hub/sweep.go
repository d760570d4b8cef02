package hub

import (
	"context"
	"time"
)

// This file finds lost deliveries: it compares what has arrived with what the task API has.

// Run sweeps until ctx is done, and then returns nil. A sweep asks the task API for the newest seq of every connected user, and
// reads what has not arrived. A restarting sidecar, a rebalance of its consumer group and a broker that loses data all
// drop deliveries without an error, and the user's next event may be hours away.
func (h *Hub) Run(ctx context.Context) error {
	ticker := time.NewTicker(h.limits.Sweep)
	defer ticker.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		err := h.sweep(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil && !failing { // one line for an outage
			h.log.WarnContext(ctx, "the newest changes cannot be read; connections stay and sweeps continue", "error", err)
		}
		if err == nil && failing {
			h.log.InfoContext(ctx, "sweeps work again")
		}
		failing = err != nil
	}
}

// position is what has arrived of a user's changes, and what the task API has.
type position struct {
	user        *user
	known, head int64
}

// sweep asks for the heads of all users, waits Limits.Grace for events that are on their way, and reads the rest.
func (h *Hub) sweep(ctx context.Context) error {
	users := h.snapshot()
	var differing []position
	for len(users) > 0 {
		part := users[:min(len(users), MaxHeads)]
		users = users[len(part):]
		ids := make([]string, len(part))
		for i := range part {
			ids[i] = part[i].user.id
		}
		heads, err := h.source.Heads(ctx, ids)
		if err != nil {
			return err
		}
		for _, p := range part {
			if head, ok := heads[p.user.id]; ok && head != p.known {
				p.head = head
				differing = append(differing, p)
			}
		}
	}
	if len(differing) == 0 {
		return nil
	}
	timer := time.NewTimer(h.limits.Grace)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return nil
	}
	for _, p := range differing {
		h.catchUp(p)
	}
	return nil
}

// snapshot returns what has arrived for each connected user.
func (h *Hub) snapshot() []position {
	h.mu.RLock()
	users := make([]*user, 0, len(h.users))
	for _, u := range h.users {
		users = append(users, u)
	}
	h.mu.RUnlock()
	all := make([]position, 0, len(users))
	for _, u := range users {
		u.mu.Lock()
		if !u.removed {
			all = append(all, position{user: u, known: u.known})
		}
		u.mu.Unlock()
	}
	return all
}

// catchUp records a head that has not arrived in time, and starts the read.
func (h *Hub) catchUp(p position) {
	u := p.user
	u.mu.Lock()
	if p.head > u.known {
		h.metrics.missed.Inc()
	}
	full := u.confirmHead(readPlan{known: p.known}, p.head)
	full = append(full, h.dispatch(u)...)
	u.mu.Unlock()
	h.evictSlow(full)
}
