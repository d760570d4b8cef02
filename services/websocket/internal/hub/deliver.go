package hub

import (
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/events/live"
	"github.com/taskwire/taskwire/services/websocket/internal/wire"
)

// This file delivers events to the members, and evicts the members that cannot take them.

// Update takes a delivery of a change. It returns at once. The error says that the event cannot be encoded.
func (h *Hub) Update(ev events.TaskUpdateEvent) error {
	return h.deliver(tasks, delivery{ev.UserID, ev.EventID, ev.Seq, ev.Timestamp}, func() (*wire.Frame, error) { return wire.Event(ev) })
}

// Notify takes a delivery of a change of the inbox. It returns at once. The error says that the event cannot be encoded.
func (h *Hub) Notify(ev events.NotificationEvent) error {
	return h.deliver(notifications, delivery{ev.UserID, ev.EventID, ev.NotificationSeq, ev.Timestamp},
		func() (*wire.Frame, error) { return wire.Notification(ev) })
}

// delivery is what the hub reads of an event.
type delivery struct {
	userID, eventID string
	seq             int64
	made            time.Time
}

func (h *Hub) deliver(k kind, d delivery, encode func() (*wire.Frame, error)) error {
	u := h.lookup(d.userID)
	if u == nil {
		return nil // the user is not connected to this replica
	}
	frame, err := encode()
	if err != nil {
		return err
	}
	frame.Made = d.made
	s := &u.streams[k]
	u.mu.Lock()
	var full []*Member
	if d.seq <= 0 {
		full = h.broadcast(s, d.eventID, frame) // an event of an older version has no place in the stream
	} else {
		s.arrive(Event{d.seq, frame})
		full = h.dispatch(s)
	}
	u.mu.Unlock()
	h.evictSlow(full)
	return nil
}

// broadcast pushes a frame without a place in its stream to all members, once for each id. It returns the members whose
// queue is full. The caller holds user.mu.
func (h *Hub) broadcast(s *stream, id string, frame *wire.Frame) (full []*Member) {
	if !s.recent.add(id) {
		return nil
	}
	for _, m := range s.user.members {
		if !m.sink.Push(frame) {
			full = append(full, m)
		}
	}
	s.feed().metrics.events.Add(float64(len(s.user.members)))
	return full
}

// dispatch pushes to the members what is available of a stream, and starts a read if a member needs one. It returns the
// members whose queue is full. The caller holds user.mu.
func (h *Hub) dispatch(s *stream) (full []*Member) {
	sent, full := s.advance(h.limits.Window)
	s.feed().metrics.events.Add(float64(sent))
	if !s.reading && s.needsRead() && h.ctx.Err() == nil {
		s.reading = true
		h.reads.Go(func() { h.read(s) })
	}
	return full
}

// dispatchAll dispatches both streams. The caller holds user.mu.
func (h *Hub) dispatchAll(u *user) (full []*Member) {
	for k := range u.streams {
		full = append(full, h.dispatch(&u.streams[k])...)
	}
	return full
}

// evictSlow closes members whose queue is full. The caller holds no lock: closing takes the sink's, and leaving the
// user's.
func (h *Hub) evictSlow(full []*Member) { h.evict(full, live.Slow) }

func (h *Hub) evict(members []*Member, code live.Code) {
	for _, m := range members {
		h.Leave(m)
		m.sink.Close(code.Closing())
	}
}
