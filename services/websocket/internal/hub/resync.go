package hub

import (
	"github.com/taskwire/taskwire/pkg/events/live"
	"github.com/taskwire/taskwire/services/websocket/internal/wire"
)

// This file decides what the members get from a read: frames, or a resync.

// begin lets the plan's starting members start at head.
func (h *Hub) begin(u *user, plan readPlan, head int64) {
	u.mu.Lock()
	full := u.confirmHead(plan, head)
	for _, m := range plan.starting {
		if !m.left {
			m.starting, m.last = false, head
			m.sink.Open(head)
		}
	}
	full = append(full, h.dispatch(u)...)
	u.mu.Unlock()
	h.evictSlow(full)
}

// apply gives the members the frames of a read. A member with too large a gap resyncs.
func (h *Hub) apply(u *user, plan readPlan, frames []*wire.Frame, head int64) {
	u.mu.Lock()
	full := u.confirmHead(plan, head)
	for _, m := range u.members {
		if !m.starting && !m.unchecked && head-m.last > h.limits.Replay {
			full = u.resync(m, live.ReasonGap, head, full)
		}
	}
	u.page = page{first: plan.since + 1, frames: frames}
	full = append(full, h.dispatch(u)...)
	u.mu.Unlock()
	h.evictSlow(full)
}

// resyncWaiting sends a resync to the members that the read was for: the source does not have what they wait for.
func (h *Hub) resyncWaiting(u *user, plan readPlan, head int64, reason live.Reason) {
	u.mu.Lock()
	full := u.confirmHead(plan, head)
	for _, m := range u.members {
		if !m.starting && m.last <= plan.since && m.last < head {
			full = u.resync(m, reason, head, full)
		}
	}
	full = append(full, h.dispatch(u)...)
	u.mu.Unlock()
	h.evictSlow(full)
}

// confirmHead records the user's newest seq as the source has it. A head below what was known before the source was asked
// means that the history was set back (a restored database): the members that are beyond it resync. So does an unchecked
// member that claims a seq above the head.
func (u *user) confirmHead(plan readPlan, head int64) (full []*Member) {
	u.synced = true
	if head < plan.known {
		u.known, u.window, u.page = head, nil, page{}
		for _, m := range u.members {
			if !m.starting && !m.unchecked && m.last > head {
				full = u.resync(m, live.ReasonRewound, head, full)
			}
		}
	}
	u.known = max(u.known, head)
	for m, last := range plan.claimed {
		switch {
		case m.left || !m.unchecked:
		case last > head:
			full = u.resync(m, live.ReasonAhead, head, full)
		default:
			m.unchecked = false
		}
	}
	return full
}

// resync tells a member that the changes up to head are not sent, and continues after head. It returns full with the
// member added when its queue is full.
func (u *user) resync(m *Member, reason live.Reason, head int64, full []*Member) []*Member {
	m.last, m.unchecked = head, false
	u.hub.metrics.resyncs.WithLabelValues(string(reason)).Inc()
	if !m.sink.Push(wire.Resync(reason, head)) {
		return append(full, m)
	}
	return full
}
