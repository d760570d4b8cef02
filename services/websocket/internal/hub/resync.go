package hub

import (
	"time"

	"github.com/taskwire/taskwire/pkg/events/live"
	"github.com/taskwire/taskwire/services/websocket/internal/wire"
)

// This file decides what the members get from a read: the welcome frame, events, or a resync.

// begin lets the plan's starting members start at the head. One that was welcomed before, because the source did not answer
// in time, is told where that is.
func (h *Hub) begin(s *stream, plan readPlan, got Page) {
	s.user.mu.Lock()
	full := s.confirm(plan, got)
	for _, m := range plan.starting {
		p := s.place(m)
		if m.left {
			continue
		}
		p.starting, p.from, p.last = false, got.Head, got.Head
		if m.welcomed {
			full = s.resync(m, live.ReasonUnavailable, got.Head, full)
		}
	}
	h.proceed(s.user, full)
}

// apply gives the members the events of a read. A member with too large a gap resyncs.
func (h *Hub) apply(s *stream, plan readPlan, got Page) {
	frames := make([]*wire.Frame, len(got.Events))
	for i, ev := range got.Events {
		frames[i] = ev.Frame
	}
	s.user.mu.Lock()
	full := s.confirm(plan, got)
	for _, m := range s.user.members {
		if p := s.place(m); !p.starting && !p.unchecked && got.Head-p.last > h.limits.Replay {
			full = s.resync(m, live.ReasonGap, got.Head, full)
		}
	}
	s.page = page{first: plan.since + 1, frames: frames}
	h.proceed(s.user, full)
}

// resyncWaiting sends a resync to the members that the read was for: the source does not have what they wait for.
func (h *Hub) resyncWaiting(s *stream, plan readPlan, got Page, reason live.Reason) {
	s.user.mu.Lock()
	full := s.confirm(plan, got)
	for _, m := range s.user.members {
		if p := s.place(m); !p.starting && p.last <= plan.since && p.last < got.Head {
			full = s.resync(m, reason, got.Head, full)
		}
	}
	h.proceed(s.user, full)
}

// proceed welcomes the members for which both sources have answered, and dispatches. It releases user.mu and closes the
// members whose queue is full.
func (h *Hub) proceed(u *user, full []*Member) {
	for _, m := range u.members {
		m.welcomeIfReady()
	}
	full = append(full, h.dispatchAll(u)...)
	u.mu.Unlock()
	h.evictSlow(full)
}

// confirm records the user's newest number as the source has it. A head below what was known before the source was asked
// means that the history was set back (a restored database): the members that are beyond it resync. So does an unchecked
// member that claims a number above the head.
func (s *stream) confirm(plan readPlan, got Page) (full []*Member) {
	head := got.Head
	s.synced = true
	if s.kind == tasks {
		s.user.gone = time.Time{}
	}
	if head < plan.known {
		s.known, s.window, s.page = head, nil, page{}
		for _, m := range s.user.members {
			if p := s.place(m); !p.starting && !p.unchecked && p.last > head {
				full = s.resync(m, live.ReasonRewound, head, full)
			}
		}
	}
	s.known = max(s.known, head)
	for m, last := range plan.claimed {
		p := s.place(m)
		switch {
		case m.left || !p.unchecked:
		case last > head:
			full = s.resync(m, live.ReasonAhead, head, full)
		default:
			p.unchecked = false
		}
	}
	if s.kind == notifications && got.Unread != nil {
		for _, m := range s.user.members {
			m.unread = got.Unread
		}
	}
	return full
}

// resync tells a member that the events up to head are not sent, and continues after head. It returns full with the
// member added when its queue is full.
func (s *stream) resync(m *Member, reason live.Reason, head int64, full []*Member) []*Member {
	p := s.place(m)
	p.last, p.unchecked = head, false
	s.user.hub.metrics.resyncs.WithLabelValues(string(names[s.kind]), string(reason)).Inc()
	if !m.sink.Push(wire.Resync(live.Resync{Stream: names[s.kind], Reason: reason, Seq: head})) {
		return append(full, m)
	}
	return full
}
