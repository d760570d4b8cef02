package hub

import (
	"context"
	"sync"
	"time"
)

// This file finds lost deliveries and ended accounts: it compares what has arrived with what the sources have.

// Run sweeps until ctx is done, and then returns nil. A sweep asks a source for the newest number of every connected user, and
// reads what has not arrived. A restarting sidecar, a rebalance of its consumer group, a new group and a broker that loses
// data all drop deliveries without an error, and the user's next event may be hours away. The streams are swept on their
// own, so a source that hangs does not hide a loss in the other.
func (h *Hub) Run(ctx context.Context) error {
	var sweeps sync.WaitGroup
	for k := range kinds {
		sweeps.Go(func() { h.sweepForEver(ctx, k) })
	}
	sweeps.Wait()
	return nil
}

func (h *Hub) sweepForEver(ctx context.Context, k kind) {
	ticker := time.NewTicker(h.limits.Sweep)
	defer ticker.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		err := h.sweep(ctx, k)
		if ctx.Err() != nil {
			return
		}
		if err != nil && !failing { // one line for an outage
			h.log.WarnContext(ctx, "the newest numbers cannot be read; connections stay and sweeps continue", "stream", names[k], "error", err)
		}
		if err == nil && failing {
			h.log.InfoContext(ctx, "sweeps work again", "stream", names[k])
		}
		failing = err != nil
	}
}

// position is what has arrived of a user's stream, and what the source has.
type position struct {
	stream      *stream
	known, head int64
	gone        bool // the account was missing before
}

// sweep asks for the heads of all users, waits Limits.Grace for events that are on their way, and reads the rest.
func (h *Hub) sweep(ctx context.Context, k kind) error {
	all := h.snapshot(k)
	var differing []position
	for len(all) > 0 {
		part := all[:min(len(all), MaxHeads)]
		all = all[len(part):]
		ids := make([]string, len(part))
		for i := range part {
			ids[i] = part[i].stream.user.id
		}
		asked := time.Now()
		heads, err := h.feeds[k].source.Heads(ctx, ids)
		if err != nil {
			return err
		}
		for i, p := range part {
			var there bool
			p.head, there = heads[ids[i]]
			if there && k == tasks {
				p.stream.user.saw(asked)
			}
			switch {
			case !there:
				h.accountGone(p.stream.user)
			case p.head != p.known || p.gone:
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
func (h *Hub) snapshot(k kind) []position {
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
			s := &u.streams[k]
			all = append(all, position{stream: s, known: s.known, gone: !u.gone.IsZero()})
		}
		u.mu.Unlock()
	}
	return all
}

// catchUp records a head that has not arrived in time, and starts the read.
func (h *Hub) catchUp(p position) {
	u := p.stream.user
	u.mu.Lock()
	if p.head > p.stream.known {
		h.feeds[p.stream.kind].metrics.missed.Inc()
	}
	full := p.stream.confirm(readPlan{known: p.known}, Page{Head: p.head})
	h.proceed(u, full)
}
