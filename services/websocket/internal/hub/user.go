package hub

import (
	"sync"
	"time"

	"github.com/taskwire/taskwire/pkg/events/live"
)

// This file has the state of a user: its connections and its two streams.

// kind is one of the streams. It is the index of what the hub, a user and a member have for each stream.
type kind int

const (
	tasks kind = iota
	notifications
	kinds // how many there are
)

// names are the names of the streams on the wire.
var names = [kinds]live.Stream{tasks: live.StreamTasks, notifications: live.StreamNotifications}

// user is a user with at least one connection to this replica.
type user struct {
	hub *Hub
	id  string

	mu      sync.Mutex
	removed bool // the last member has left: a new member needs a new user
	members []*Member
	streams [kinds]stream
	seen    time.Time // when the last answer was asked for that has the account
	gone    time.Time // when the task API first said that the account has ended; zero: it has not
}

// saw records that an answer has the account. It was asked for at the time asked, so the account did not end before that.
func (u *user) saw(asked time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if asked.After(u.seen) {
		u.seen = asked
	}
}

func newUser(h *Hub, id string) *user {
	u := &user{hub: h, id: id}
	for k := range u.streams {
		u.streams[k].user, u.streams[k].kind = u, kind(k)
	}
	return u
}

func (u *user) remove(m *Member) {
	m.left = true
	m.timer.Stop()
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
