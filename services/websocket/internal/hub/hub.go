package hub

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/services/websocket/internal/wire"
)

// The Source's outcomes that mean something.
var (
	// ErrPruned says that changes after since are not kept any more.
	ErrPruned = errors.New("changes are pruned")
	// ErrNoAccount says that the user has no account: it was deleted.
	ErrNoAccount = errors.New("there is no such account")
	// ErrTooMany refuses a join: the user has Limits.PerUser members.
	ErrTooMany = errors.New("too many connections of this user")
)

// Changes is a part of a user's history: contiguous, ascending, each seq above the since that was asked for.
type Changes struct {
	Items []events.TaskUpdateEvent
	Head  int64 // the user's newest seq
}

// Source is the task API.
type Source interface {
	// Changes reads up to limit changes after since; ErrPruned where they are not kept any more, ErrNoAccount where there
	// is nothing to be read ever again.
	Changes(ctx context.Context, userID string, since int64, limit int) (Changes, error)
	// Heads reads the newest seq of each user, at most MaxHeads; a user without changes may be missing.
	Heads(ctx context.Context, userIDs []string) (map[string]int64, error)
}

// Sink is a connection. Its methods never wait for the network and never call the hub.
type Sink interface {
	// Open sends the welcome frame, and lets what was pushed before follow it.
	Open(seq int64)
	// Push queues a frame; false when the queue is full.
	Push(f *wire.Frame) bool
	// Room says whether there is room for catching up beside live events. Where there is not, w is woken when there is,
	// once and on another goroutine.
	Room(w Waker) bool
	// Close ends the connection.
	Close(c wire.Closing)
}

// Waker waits for room in a sink.
type Waker interface{ Wake() }

// MaxHeads is how many users one Heads call may name: the task API's limit.
const MaxHeads = 1000

// Limits are the hub's bounds and intervals.
type Limits struct {
	PerUser  int           // members of one user
	Replay   int64         // a larger gap is a resync: beyond it /sync costs the client less than replaying
	Page     int           // changes in one read: of the largest tasks (70 kB each) they stay below the sidecar's 4 MB
	Window   int           // events of one user that came too early and are kept
	Reads    int           // reads at a time, all users: what the task API bears when everybody comes back at once
	Sweep    time.Duration // how often the task API is asked whether something was missed
	Grace    time.Duration // how long an event may still be on its way before a sweep calls it missed
	RetryMin time.Duration // the first pause after a failed read; doubles
	RetryMax time.Duration
}

// DefaultLimits are the limits of the service.
func DefaultLimits() Limits {
	return Limits{
		PerUser: 50, Replay: 1000, Page: 50, Window: 256, Reads: 32,
		Sweep: time.Second, Grace: 150 * time.Millisecond, RetryMin: 100 * time.Millisecond, RetryMax: 2 * time.Second,
	}
}

// Config is what a hub needs.
type Config struct {
	Source  Source
	Log     *slog.Logger
	Metrics *Metrics
	Limits  Limits
}

// Hub knows who is connected. Safe for concurrent use.
type Hub struct {
	source  Source
	log     *slog.Logger
	metrics *Metrics
	limits  Limits
	slots   chan struct{} // one for each read at a time
	ctx     context.Context
	cancel  context.CancelFunc
	reads   sync.WaitGroup

	mu    sync.RWMutex
	users map[string]*user
}

// New makes a hub. Close ends its reads.
func New(cfg Config) *Hub {
	ctx, cancel := context.WithCancel(context.Background())
	return &Hub{
		source: cfg.Source, log: cfg.Log, metrics: cfg.Metrics, limits: cfg.Limits,
		slots: make(chan struct{}, cfg.Limits.Reads), ctx: ctx, cancel: cancel, users: map[string]*user{},
	}
}

// Close ends the hub's reads and waits for them. Members are not told: close their connections first.
func (h *Hub) Close() {
	h.cancel()
	h.reads.Wait()
}

// Join adds a connection of userID that has seen everything up to since (nil: it starts at the user's newest change).
// It returns at once; welcome and events follow. The member must Leave.
func (h *Hub) Join(userID string, since *int64, sink Sink) (*Member, error) {
	for {
		u := h.userFor(userID)
		u.mu.Lock()
		if u.dead { // its last member has just left
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
		slow := h.settle(u)
		u.mu.Unlock()
		h.evict(slow)
		return m, nil
	}
}

// Leave removes a member. Leaving twice does nothing.
func (h *Hub) Leave(m *Member) {
	u := m.user
	u.mu.Lock()
	u.remove(m)
	empty := len(u.members) == 0 && !u.dead
	if empty {
		u.dead = true
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

// Update takes a delivery of a change. It returns at once.
func (h *Hub) Update(ev events.TaskUpdateEvent) error {
	u := h.lookup(ev.UserID)
	if u == nil {
		return nil // nobody of this user is here
	}
	frame, err := wire.Event(ev)
	if err != nil {
		return err
	}
	frame.Made = ev.Timestamp
	u.mu.Lock()
	var slow []*Member
	if ev.Seq <= 0 {
		slow = h.broadcast(u, ev.EventID, frame) // the original form: it has no place in the sequence
	} else {
		u.arrive(ev.Seq, frame)
		slow = h.settle(u)
	}
	u.mu.Unlock()
	h.evict(slow)
	return nil
}

// Notify takes a delivery of a notification. It returns at once.
func (h *Hub) Notify(ev events.NotificationEvent) error {
	u := h.lookup(ev.UserID)
	if u == nil {
		return nil
	}
	frame, err := wire.Notification(ev)
	if err != nil {
		return err
	}
	frame.Made = ev.Timestamp
	u.mu.Lock()
	slow := h.broadcast(u, ev.NotificationID, frame)
	u.mu.Unlock()
	h.evict(slow)
	return nil
}

// broadcast sends a frame that stands outside the sequence to all members, once for an id. u.mu is held.
func (h *Hub) broadcast(u *user, id string, frame *wire.Frame) (slow []*Member) {
	if !u.seen.first(id) {
		return nil
	}
	for _, m := range u.members {
		if !m.sink.Push(frame) {
			slow = append(slow, m)
		}
	}
	h.metrics.unsequenced.Add(float64(len(u.members)))
	return slow
}

// settle sends the members what is at hand and starts a read where that is not enough. u.mu is held.
func (h *Hub) settle(u *user) (slow []*Member) {
	sent, slow := u.advance(h.limits.Window)
	h.metrics.events.Add(float64(sent))
	if !u.reading && u.wants() && h.ctx.Err() == nil {
		u.reading = true
		h.reads.Go(func() { h.read(u) })
	}
	return slow
}

// evict closes members whose queue is full. No lock is held: closing takes the sink's, and leaving the user's.
func (h *Hub) evict(slow []*Member) {
	for _, m := range slow {
		h.Leave(m)
		m.sink.Close(wire.Close(wire.Slow))
	}
}

// dismiss closes the members of a user whose account is gone: they have nothing to wait for.
func (h *Hub) dismiss(u *user) {
	u.mu.Lock()
	members := slices.Clone(u.members)
	u.mu.Unlock()
	for _, m := range members {
		h.Leave(m)
		m.sink.Close(wire.Close(wire.AccountGone))
	}
}

func (h *Hub) lookup(userID string) *user {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.users[userID]
}

// userFor is lookup that makes the user where it is not there.
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
