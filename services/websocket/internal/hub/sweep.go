package hub

import (
	"context"
	"time"
)

// Run sweeps until ctx is done. A sweep asks the task API for the newest seq of every user here, and reads what did not
// arrive: a sidecar that restarts, a rebalance of its consumer group or a broker that forgets loses deliveries without
// a word, and the next event may be long in coming.
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
		if err != nil && !failing { // once for an outage
			h.log.WarnContext(ctx, "the newest changes cannot be asked for; connections stay and sweeps go on", "error", err)
		}
		if err == nil && failing {
			h.log.InfoContext(ctx, "sweeps work again")
		}
		failing = err != nil
	}
}

// suspect is a user whose newest seq is not the one that arrived.
type suspect struct {
	user        *user
	known, head int64
}

// sweep is one round.
func (h *Hub) sweep(ctx context.Context) error {
	users := h.snapshot()
	var suspects []suspect
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
		for _, s := range part {
			if head, ok := heads[s.user.id]; ok && head != s.known {
				s.head = head
				suspects = append(suspects, s)
			}
		}
	}
	if len(suspects) == 0 {
		return nil
	}
	timer := time.NewTimer(h.limits.Grace) // most of them are on their way
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return nil
	}
	for _, s := range suspects {
		h.catchUp(s)
	}
	return nil
}

func (h *Hub) snapshot() []suspect {
	h.mu.RLock()
	users := make([]*user, 0, len(h.users))
	for _, u := range h.users {
		users = append(users, u)
	}
	h.mu.RUnlock()
	all := make([]suspect, 0, len(users))
	for _, u := range users {
		u.mu.Lock()
		if !u.dead {
			all = append(all, suspect{user: u, known: u.known})
		}
		u.mu.Unlock()
	}
	return all
}

// catchUp takes in a head that did not arrive in time, and starts the read.
func (h *Hub) catchUp(s suspect) {
	u := s.user
	u.mu.Lock()
	if s.head > u.known {
		h.metrics.missed.Inc()
	}
	slow := u.confirm(task{known: s.known}, s.head)
	slow = append(slow, h.settle(u)...)
	u.mu.Unlock()
	h.evict(slow)
}
