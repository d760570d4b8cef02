package hub

import (
	"github.com/taskwire/taskwire/services/websocket/internal/wire"
)

// This file decides which event of a stream a member is sent next, and which events are stored until every member has them.

// stream is one stream of a connected user. user.mu guards it.
type stream struct {
	user    *user
	kind    kind
	known   int64                 // the highest number that is known to exist
	synced  bool                  // the source has confirmed known while deliveries were arriving: no loss up to it is unnoticed
	reading bool                  // a read is running
	window  map[int64]*wire.Frame // events that are early for a member
	page    page                  // what the running read has returned
	arrived Event                 // the event that has just arrived; its frame is nil when there is none
	recent  recentIDs
}

func (s *stream) feed() *feed            { return s.user.hub.feeds[s.kind] }
func (s *stream) place(m *Member) *place { return &m.places[s.kind] }

// page is a sequence of frames: frames[i] has the number first+i.
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
func (s *stream) arrive(ev Event) {
	s.known = max(s.known, ev.Seq)
	s.arrived = ev
}

// at returns the frame of seq, or nil when it is not available.
func (s *stream) at(seq int64) *wire.Frame {
	if s.arrived.Frame != nil && s.arrived.Seq == seq {
		return s.arrived.Frame
	}
	if f := s.window[seq]; f != nil {
		return f
	}
	return s.page.at(seq)
}

// lowWatermark returns the number up to which every member has been sent everything.
func (s *stream) lowWatermark() int64 {
	lowest := s.known
	for _, m := range s.user.members {
		if p := s.place(m); p.starting {
			lowest = 0 // it may start anywhere
		} else {
			lowest = min(lowest, p.last)
		}
	}
	return lowest
}

// advance pushes to each member the available events that are next for it. Then it stores the event that has just
// arrived if a member still needs it, and drops the stored events that no member needs. A full window stores nothing
// more: a read will return the event. It returns how many frames were pushed, and the members whose queue is full.
func (s *stream) advance(window int) (sent int, full []*Member) {
	for _, m := range s.user.members {
		n, ok := s.advanceOne(m)
		sent += n
		if !ok {
			full = append(full, m)
		}
	}
	if !s.reading && !s.anyBehind() {
		s.page = page{}
	}
	arrived := s.arrived
	s.arrived = Event{}
	if arrived.Frame == nil && len(s.window) == 0 {
		return sent, full
	}
	lowest := s.lowWatermark()
	for stored := range s.window {
		if stored <= lowest {
			delete(s.window, stored)
		}
	}
	switch {
	case arrived.Frame != nil && arrived.Seq > lowest && len(s.window) < window:
		if s.window == nil {
			s.window = map[int64]*wire.Frame{}
		}
		s.window[arrived.Seq] = arrived.Frame
	case len(s.window) == 0:
		s.window = nil // an idle user holds no memory for it
	}
	return sent, full
}

// advanceOne returns how many frames it pushed, and false when the member's queue is full.
func (s *stream) advanceOne(m *Member) (sent int, ok bool) {
	p := s.place(m)
	if p.starting || p.unchecked {
		return 0, true
	}
	for p.last < s.known {
		frame := s.at(p.last + 1)
		if frame == nil || !m.welcomed || m.blocked {
			p.behind = true
			return sent, true
		}
		if p.behind && !m.sink.HasCapacity(m) {
			m.blocked = true
			return sent, true
		}
		if !m.sink.Push(frame) {
			return sent, false
		}
		p.last++
		sent++
	}
	p.behind = false
	return sent, true
}

// anyBehind reports whether a member is catching up and may need the page.
func (s *stream) anyBehind() bool {
	for _, m := range s.user.members {
		if s.place(m).behind {
			return true
		}
	}
	return false
}

// needsRead reports whether a read would help a member.
func (s *stream) needsRead() bool {
	for _, m := range s.user.members {
		if s.place(m).starting || s.needsEvents(m) {
			return true
		}
	}
	return false
}

// needsEvents reports whether a read of events would help the member.
func (s *stream) needsEvents(m *Member) bool {
	p := s.place(m)
	return !p.starting && (p.unchecked || m.welcomed && !m.blocked && p.last < s.known)
}
