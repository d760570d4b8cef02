package hub

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// This file has the hub's registry: which users are connected, and how members join and leave.

// ErrTooMany refuses a join: the user has Limits.PerUser members.
var ErrTooMany = errors.New("too many connections of this user")

// Config is what a hub needs.
type Config struct {
	Tasks         Source
	Notifications Source
	Log           *slog.Logger
	Metrics       *Metrics
	Limits        Limits
}

// Hub knows which users are connected. It is safe for concurrent use.
type Hub struct {
	log     *slog.Logger
	metrics *Metrics
	limits  Limits
	feeds   [kinds]*feed
	ctx     context.Context
	cancel  context.CancelFunc
	reads   sync.WaitGroup

	mu    sync.RWMutex
	users map[string]*user
}

// feed is where the events of one stream come from, for all users. A source that hangs holds only its own slots.
type feed struct {
	source  Source
	slots   chan struct{} // one for each concurrent read
	metrics feedMetrics
}

// New returns a hub. Close it.
func New(cfg Config) *Hub {
	ctx, cancel := context.WithCancel(context.Background())
	h := &Hub{log: cfg.Log, metrics: cfg.Metrics, limits: cfg.Limits, ctx: ctx, cancel: cancel, users: map[string]*user{}}
	for k, source := range [kinds]Source{tasks: cfg.Tasks, notifications: cfg.Notifications} {
		h.feeds[k] = &feed{source: source, slots: make(chan struct{}, cfg.Limits.Reads), metrics: cfg.Metrics.of(names[k])}
	}
	return h
}

// Close ends the hub's reads and waits for them. It does not close the members' connections: close those first.
func (h *Hub) Close() {
	h.cancel()
	h.reads.Wait()
}

// Start is where a connection begins.
type Start struct {
	Since              *int64        // it has seen every change up to it; nil: it starts at the user's newest change
	NotificationsSince *int64        // the same for notifications
	Session            string        // the session or the personal API token that let it in; "" for a token that has neither
	Wait               time.Duration // until the welcome frame or the end of the connection
}

// Join adds a connection of userID. Join returns at once; the welcome frame and the events follow. The member must Leave.
// The error is ErrTooMany.
func (h *Hub) Join(userID string, start Start, sink Sink) (*Member, error) {
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
		m := &Member{user: u, sink: sink, session: start.Session, places: [kinds]place{
			tasks: placeAt(start.Since), notifications: placeAt(start.NotificationsSince), // a read also says how many are unread
		}}
		if s := &u.streams[tasks]; s.synced && u.gone.IsZero() && m.places[tasks].last <= s.known {
			m.places[tasks].unchecked = false
		}
		m.timer = time.AfterFunc(start.Wait, m.late)
		u.members = append(u.members, m)
		full := h.dispatchAll(u)
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
		u = newUser(h, userID)
		h.users[userID] = u
		h.metrics.users.Set(float64(len(h.users)))
	}
	return u
}
