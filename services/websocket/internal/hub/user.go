package hub

import (
	"sync"

	"github.com/taskwire/taskwire/services/websocket/internal/wire"
)

// seenMax is how many ids of notifications a user's duplicates are found by. A duplicate comes within about a second of
// the first (a sidecar that was killed repeats that much), so this is generous.
const seenMax = 128

// user is one user with at least one connection here.
type user struct {
	hub *Hub
	id  string

	mu      sync.Mutex
	dead    bool // the last member has left: a new one needs a new user
	members []*Member
	known   int64                 // the highest seq that is known to exist
	synced  bool                  // known was confirmed by the source while deliveries were coming: nothing up to it was missed unseen
	reading bool                  // a read is under way
	window  map[int64]*wire.Frame // events that came too early for somebody
	page    page                  // what the read under way has brought
	now     struct {              // the event that has just come
		seq   int64
		frame *wire.Frame
	}
	seen recent
}

// Member is one connection of a user.
type Member struct {
	user *user
	sink Sink
	// All below is guarded by user.mu.
	last      int64 // the seq sent last
	starting  bool  // last is not known yet: it will be the newest change
	unchecked bool  // last comes from the client, and nobody has said yet that it exists
	behind    bool  // it is catching up: full queues make it wait, not slow
	starved   bool  // it waits for room in its queue
	gone      bool
}

// page is a stretch of frames: frames[i] has the seq first+i.
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

// arrive takes an event in, for the advance that follows.
func (u *user) arrive(seq int64, frame *wire.Frame) {
	u.known = max(u.known, seq)
	u.now.seq, u.now.frame = seq, frame
}

// at is the frame of seq where it is at hand.
func (u *user) at(seq int64) *wire.Frame {
	if u.now.frame != nil && u.now.seq == seq {
		return u.now.frame
	}
	if f := u.window[seq]; f != nil {
		return f
	}
	return u.page.at(seq)
}

// lowest is the last seq of the member that is furthest behind; everything up to it is sent.
func (u *user) lowest() int64 {
	lowest := u.known
	for _, m := range u.members {
		if !m.starting {
			lowest = min(lowest, m.last)
		} else {
			lowest = 0 // it may start anywhere
		}
	}
	return lowest
}

// advance sends each member what is at hand and next for it. Then it keeps the event that has just come where somebody
// still needs it, and forgets what nobody does. A full window keeps no more: a read will bring it.
func (u *user) advance(window int) (sent int, slow []*Member) {
	for _, m := range u.members {
		n, ok := u.advanceOne(m)
		sent += n
		if !ok {
			slow = append(slow, m)
		}
	}
	if !u.reading && !u.lagging() {
		u.page = page{}
	}
	seq, frame := u.now.seq, u.now.frame
	u.now.frame = nil
	if frame == nil && len(u.window) == 0 {
		return sent, slow
	}
	lowest := u.lowest()
	for kept := range u.window {
		if kept <= lowest {
			delete(u.window, kept)
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
	return sent, slow
}

func (u *user) advanceOne(m *Member) (sent int, ok bool) {
	if m.starting || m.unchecked || m.starved {
		return 0, true
	}
	for m.last < u.known {
		frame := u.at(m.last + 1)
		if frame == nil {
			m.behind = true
			return sent, true
		}
		if m.behind && !m.sink.Room(m) {
			m.starved = true
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

// lagging says whether a member is catching up: it may need the page.
func (u *user) lagging() bool {
	for _, m := range u.members {
		if m.behind {
			return true
		}
	}
	return false
}

// wants says whether a read would help a member.
func (u *user) wants() bool {
	for _, m := range u.members {
		if m.starting || m.needsChanges(u.known) {
			return true
		}
	}
	return false
}

// Wake is called by the sink when there is room again.
func (m *Member) Wake() {
	u := m.user
	u.mu.Lock()
	m.starved = false
	var slow []*Member
	if !m.gone {
		slow = u.hub.settle(u)
	}
	u.mu.Unlock()
	u.hub.evict(slow)
}

func (m *Member) needsChanges(known int64) bool {
	return !m.starting && !m.starved && (m.unchecked || m.last < known)
}

func (u *user) remove(m *Member) {
	m.gone = true
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

// recent remembers the last seenMax ids.
type recent struct {
	ids  []string
	next int
}

// first says whether id is new, and remembers it.
func (r *recent) first(id string) bool {
	for _, known := range r.ids {
		if known == id {
			return false
		}
	}
	if len(r.ids) < seenMax {
		r.ids = append(r.ids, id)
		return true
	}
	r.ids[r.next] = id
	r.next = (r.next + 1) % seenMax
	return true
}
