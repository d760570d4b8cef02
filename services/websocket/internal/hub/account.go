package hub

import (
	"time"

	"github.com/taskwire/taskwire/pkg/events/live"
)

// This file ends the connections of accounts that have ended.

// accountGone records that the user's account has ended. Members that wait for something will get nothing more: they are
// closed at once. The others are sent the deletions of their tasks, which may still be on their way, and are closed Limits.Gone
// after the account was last seen, but not before Limits.GoneMin. A later answer that has the account again, which only an
// issuer's account can cause, keeps them open.
func (h *Hub) accountGone(u *user) {
	var waiting []*Member
	u.mu.Lock()
	for _, m := range u.members {
		if p := m.places[tasks]; !m.welcomed || p.unchecked || p.last < u.streams[tasks].known {
			waiting = append(waiting, m)
		}
	}
	if u.gone.IsZero() {
		since := time.Now()
		u.gone = since
		wait := max(h.limits.Gone-since.Sub(u.seen), h.limits.GoneMin)
		time.AfterFunc(wait, func() { h.endAccount(u, since) })
	}
	u.mu.Unlock()
	h.evict(waiting, live.AccountGone)
}

// endAccount closes all members, unless the account was seen after since.
func (h *Hub) endAccount(u *user, since time.Time) {
	var all []*Member
	u.mu.Lock()
	if u.gone.Equal(since) {
		all = append(all, u.members...)
	}
	u.mu.Unlock()
	h.evict(all, live.AccountGone)
}
