package hub

// This file has a member's state.

// Member is one connection of a user.
type Member struct {
	user *user
	sink Sink
	// user.mu guards the rest.
	last      int64 // the seq that was sent last
	starting  bool  // last is not known yet: it will be the user's newest change
	unchecked bool  // last comes from the client, and the source has not confirmed that it exists
	behind    bool  // it is catching up: a full queue makes it wait and does not make it slow
	blocked   bool  // it waits for capacity in its queue
	left      bool
}

// Wake implements Waker: it continues after the sink has capacity again.
func (m *Member) Wake() {
	u := m.user
	u.mu.Lock()
	m.blocked = false
	var full []*Member
	if !m.left {
		full = u.hub.dispatch(u)
	}
	u.mu.Unlock()
	u.hub.evictSlow(full)
}

// needsChanges reports whether a read of changes would help the member.
func (m *Member) needsChanges(known int64) bool {
	return !m.starting && !m.blocked && (m.unchecked || m.last < known)
}
