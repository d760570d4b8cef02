package hub

import (
	"sync"

	"github.com/taskwire/taskwire/services/websocket/internal/wire"
)

// This file decides which event a member is sent next, and which events are stored until every member has them.

// user is a user with at least one connection to this replica.
type user struct {
	hub *Hub
	id  string

	mu      sync.Mutex
	removed bool // the last member has left: a new member needs a new user
	members []*Member
	known   int64                 // the highest seq that is known to exist
	synced  bool                  // the source has confirmed known while deliveries were arriving: no loss up to it is unnoticed
	reading bool                  // a read is running
	window  map[int64]*wire.Frame // events that are early for a member
	page    page                  // what the running read has returned
	arrived struct {              // the event that has just arrived
		seq   int64
		frame *wire.Frame
	}
	recent recentIDs
}

// page is a sequence of frames: frames[i] has the seq first+i.
type page struct {
	first  int64
	frames []*wire.Frame
}

func (p page) at(seq int64) *wire.Frame {
	if i := seq - p.first; i >= 0 && i < int64(len(p.frames)) {
		return p.frames[i]
	}
	return nil
}

// arrive records an event for the next advance.
func (u *user) arrive(seq int64, frame *wire.Frame) {
	u.known = max(u.known, seq)
	u.arrived.seq, u.arrived.frame = seq, frame
}

// at returns the frame of seq, or nil when it is not available.
func (u *user) at(seq int64) *wire.Frame {
	if u.arrived.frame != nil && u.arrived.seq == seq {
		return u.arrived.frame
	}
	if f := u.window[seq]; f != nil {
		return f
	}
	return u.page.at(seq)
}

// lowWatermark returns the seq up to which every member has been sent everything.
func (u *user) lowWatermark() int64 {
	lowest := u.known
	for _, m := range u.members {
		if m.starting {
			lowest = 0 // it may start anywhere
		} else {
			lowest = min(lowest, m.last)
		}
	}
	return lowest
}

// advance pushes to each member the available events that are next for it. Then it stores the event that has just
// arrived if a member still needs it, and drops the stored events that no member needs. A full window stores nothing
// more: a read will return the event. It returns how many frames were pushed, and the members whose queue is full.
func (u *user) advance(window int) (sent int, full []*Member) {
	for _, m := range u.members {
		n, ok := u.advanceOne(m)
		sent += n
		if !ok {
			full = append(full, m)
		}
	}
	if !u.reading && !u.anyBehind() {
		u.page = page{}
	}
	seq, frame := u.arrived.seq, u.arrived.frame
	u.arrived.frame = nil
	if frame == nil && len(u.window) == 0 {
		return sent, full
	}
	lowest := u.lowWatermark()
	for stored := range u.window {
		if stored <= lowest {
			delete(u.window, stored)
		}
	}
	switch {
	case frame != nil && seq > lowest && len(u.window) < window:
		if u.window == nil {
			u.window = map[int64]*wire.Frame{}
		}
		u.window[seq] = frame
	case len(u.window) == 0:
		u.window = nil // an idle user holds no memory for it
	}
	return sent, full
}

// advanceOne returns how many frames it pushed, and false when the member's queue is full.
func (u *user) advanceOne(m *Member) (sent int, ok bool) {
	if m.starting || m.unchecked || m.blocked {
		return 0, true
	}
	for m.last < u.known {
		frame := u.at(m.last + 1)
		if frame == nil {
			m.behind = true
			return sent, true
		}
		if m.behind && !m.sink.HasCapacity(m) {
			m.blocked = true
			return sent, true
		}
		if !m.sink.Push(frame) {
			return sent, false
		}
		m.last++
		sent++
	}
	m.behind = false
	return sent, true
}

// anyBehind reports whether a member is catching up and may need the page.
func (u *user) anyBehind() bool {
	for _, m := range u.members {
		if m.behind {
			return true
		}
	}
	return false
}

// needsRead reports whether a read would help a member.
func (u *user) needsRead() bool {
	for _, m := range u.members {
		if m.starting || m.needsChanges(u.known) {
			return true
		}
	}
	return false
}

func (u *user) remove(m *Member) {
	m.left = true
	for i, other := range u.members {
		if other == m {
			end := len(u.members) - 1
			u.members[i] = u.members[end]
			u.members[end] = nil
			u.members = u.members[:end]
			return
		}
	}
}
