package hub

import (
	"slices"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/events/live"
	"github.com/taskwire/taskwire/services/websocket/internal/wire"
)

// This file delivers events to the members, and evicts the members that cannot take them.

// Update takes a delivery of a change. It returns at once. The error says that the event cannot be encoded.
func (h *Hub) Update(ev events.TaskUpdateEvent) error {
	u := h.lookup(ev.UserID)
	if u == nil {
		return nil // the user is not connected to this replica
	}
	frame, err := wire.Event(ev)
	if err != nil {
		return err
	}
	frame.Made = ev.Timestamp
	u.mu.Lock()
	var full []*Member
	if ev.Seq <= 0 {
		full = h.broadcast(u, ev.EventID, frame) // the original form has no place in the sequence
	} else {
		u.arrive(ev.Seq, frame)
		full = h.dispatch(u)
	}
	u.mu.Unlock()
	h.evictSlow(full)
	return nil
}

// Notify takes a delivery of a notification. It returns at once. The error says that the event cannot be encoded.
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
	full := h.broadcast(u, ev.NotificationID, frame)
	u.mu.Unlock()
	h.evictSlow(full)
	return nil
}

// broadcast pushes a frame without a place in the sequence to all members, once for each id. It returns the members whose
// queue is full. The caller holds u.mu.
func (h *Hub) broadcast(u *user, id string, frame *wire.Frame) (full []*Member) {
	if !u.recent.add(id) {
		return nil
	}
	for _, m := range u.members {
		if !m.sink.Push(frame) {
			full = append(full, m)
		}
	}
	h.metrics.unsequenced.Add(float64(len(u.members)))
	return full
}

// dispatch pushes to the members what is available, and starts a read if a member needs one. It returns the members whose
// queue is full. The caller holds u.mu.
func (h *Hub) dispatch(u *user) (full []*Member) {
	sent, full := u.advance(h.limits.Window)
	h.metrics.events.Add(float64(sent))
	if !u.reading && u.needsRead() && h.ctx.Err() == nil {
		u.reading = true
		h.reads.Go(func() { h.read(u) })
	}
	return full
}

// evictSlow closes members whose queue is full. The caller holds no lock: closing takes the sink's, and leaving the
// user's.
func (h *Hub) evictSlow(full []*Member) { h.evict(full, live.Slow) }

// evictAll closes all members of a user whose account was deleted.
func (h *Hub) evictAll(u *user) {
	u.mu.Lock()
	members := slices.Clone(u.members)
	u.mu.Unlock()
	h.evict(members, live.AccountGone)
}

func (h *Hub) evict(members []*Member, code live.Code) {
	for _, m := range members {
		h.Leave(m)
		m.sink.Close(code.Closing())
	}
}
