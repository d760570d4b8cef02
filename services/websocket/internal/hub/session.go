package hub

import "github.com/taskwire/taskwire/pkg/events/live"

// This file ends the connections of sessions that have ended.

// EndSession closes the members that came with the session, or with the personal API token of this id. What is queued for them
// is dropped, so they see no event that is delivered after the call. A member of an ended session that joins later is not
// found: the caller of Join asks about that after it has joined.
func (h *Hub) EndSession(userID, session string) {
	if u := h.lookup(userID); u != nil {
		h.endSessions(u, session)
	}
}

func (h *Hub) endSessions(u *user, sessions ...string) {
	var ended []*Member
	u.mu.Lock()
	for _, m := range u.members {
		for _, session := range sessions {
			if m.session == session && session != "" {
				ended = append(ended, m)
			}
		}
	}
	u.mu.Unlock()
	h.evict(ended, live.SessionEnded)
}

// Renew records the session of the member's new token. The end of that session then ends the member, and no longer the end of
// the one before.
func (h *Hub) Renew(m *Member, session string) {
	m.user.mu.Lock()
	defer m.user.mu.Unlock()
	m.session = session
}
