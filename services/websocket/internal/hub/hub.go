package hub

import (
	"context"
	"errors"
	"log/slog"
	"sync"
)

// This file has the hub's registry: which users are connected, and how members join and leave.

// ErrTooMany refuses a join: the user has Limits.PerUser members.
var ErrTooMany = errors.New("too many connections of this user")

// Config is what a hub needs.
type Config struct {
	Source  Source
	Log     *slog.Logger
	Metrics *Metrics
	Limits  Limits
}

// Hub knows which users are connected. It is safe for concurrent use.
type Hub struct {
	source  Source
	log     *slog.Logger
	metrics *Metrics
	limits  Limits
	slots   chan struct{} // one for each concurrent read
	ctx     context.Context
	cancel  context.CancelFunc
	reads   sync.WaitGroup

	mu    sync.RWMutex
	users map[string]*user
}

// New returns a hub. Close it.
func New(cfg Config) *Hub {
	ctx, cancel := context.WithCancel(context.Background())
	return &Hub{
		source: cfg.Source, log: cfg.Log, metrics: cfg.Metrics, limits: cfg.Limits,
		slots: make(chan struct{}, cfg.Limits.Reads), ctx: ctx, cancel: cancel, users: map[string]*user{},
	}
}

// Close ends the hub's reads and waits for them. It does not close the members' connections: close those first.
func (h *Hub) Close() {
	h.cancel()
	h.reads.Wait()
}

// Join adds a connection of userID that has seen everything up to since. With nil, it starts at the user's newest change.
// Join returns at once; the welcome frame and the events follow. The member must Leave. The error is ErrTooMany.
func (h *Hub) Join(userID string, since *int64, sink Sink) (*Member, error) {
	for {
		u := h.userFor(userID)
		u.mu.Lock()
		if u.removed { // its last member left after userFor returned it
			u.mu.Unlock()
			continue
		}
		if len(u.members) >= h.limits.PerUser {
			u.mu.Unlock()
			return nil, ErrTooMany
		}
		m := &Member{user: u, sink: sink, behind: true}
		if since == nil {
			m.starting = true
		} else {
			m.last = *since
			m.unchecked = !u.synced || *since > u.known
			sink.Open(m.last)
		}
		u.members = append(u.members, m)
		full := h.dispatch(u)
		u.mu.Unlock()
		h.evictSlow(full)
		return m, nil
	}
}

// Leave removes a member. A second Leave does nothing.
func (h *Hub) Leave(m *Member) {
	u := m.user
	u.mu.Lock()
	u.remove(m)
	empty := len(u.members) == 0 && !u.removed
	if empty {
		u.removed = true
	}
	u.mu.Unlock()
	if empty {
		h.mu.Lock()
		if h.users[u.id] == u {
			delete(h.users, u.id)
		}
		h.metrics.users.Set(float64(len(h.users)))
		h.mu.Unlock()
	}
}

// lookup returns a connected user, or nil.
func (h *Hub) lookup(userID string) *user {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.users[userID]
}

// userFor returns a user, and adds it if it is not connected.
func (h *Hub) userFor(userID string) *user {
	if u := h.lookup(userID); u != nil {
		return u
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	u := h.users[userID]
	if u == nil {
		u = &user{hub: h, id: userID}
		h.users[userID] = u
		h.metrics.users.Set(float64(len(h.users)))
	}
	return u
}
