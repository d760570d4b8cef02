package hub

import (
	"time"

	"github.com/taskwire/taskwire/pkg/events/live"
)

// This file has a member's state, and decides when it is welcomed.

// Member is one connection of a user.
type Member struct {
	user  *user
	sink  Sink
	timer *time.Timer // calls late
	// user.mu guards the rest.
	session  string // see Start.Session
	places   [kinds]place
	unread   *int64 // unread notifications, as the last read before the welcome frame said
	welcomed bool   // the welcome frame is queued; before that no event is
	blocked  bool   // it waits for capacity in its queue
	left     bool
}

// place is where a member is in a stream.
type place struct {
	from      int64 // what the welcome frame says
	last      int64 // the number that was sent last
	starting  bool  // last is not known yet: it will be the user's newest event
	unchecked bool  // last comes from the client, and the source has not confirmed that it exists
	behind    bool  // it is catching up: a full queue makes it wait and does not make it slow
}

// placeAt returns the place of a member that has seen everything up to since, or that starts at the newest event.
func placeAt(since *int64) place {
	if since == nil {
		return place{starting: true, behind: true}
	}
	return place{from: *since, last: *since, unchecked: true, behind: true}
}

// Wake implements Waker: it continues after the sink has capacity again.
func (m *Member) Wake() {
	u := m.user
	u.mu.Lock()
	m.blocked = false
	var full []*Member
	if !m.left {
		full = u.hub.dispatchAll(u)
	}
	u.mu.Unlock()
	u.hub.evictSlow(full)
}

// welcomeIfReady sends the welcome frame once both sources have answered.
func (m *Member) welcomeIfReady() {
	for _, p := range m.places {
		if p.starting || p.unchecked {
			return
		}
	}
	m.welcome()
}

// welcome sends the welcome frame, with what is known. Later calls do nothing.
func (m *Member) welcome() {
	if m.welcomed || m.left {
		return
	}
	m.welcomed = true
	m.timer.Stop()
	w := live.Welcome{Seq: m.places[tasks].from, Unread: m.unread}
	if p := m.places[notifications]; !p.starting {
		w.NotificationSeq = &p.from
	}
	m.sink.Open(w)
}

// late ends the wait for the sources. A member whose newest change is not known is closed and comes back. Any other one is
// welcomed: its events follow when their source answers, and where its notifications begin is then said by a resync frame.
func (m *Member) late() {
	u := m.user
	var refused, full []*Member
	u.mu.Lock()
	switch {
	case m.left || m.welcomed:
	case m.places[tasks].starting:
		refused = append(refused, m)
	default:
		m.welcome()
		full = u.hub.dispatchAll(u)
	}
	u.mu.Unlock()
	u.hub.evict(refused, live.Unavailable)
	u.hub.evictSlow(full)
}
