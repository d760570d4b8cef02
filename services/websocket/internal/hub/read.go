package hub

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/taskwire/taskwire/services/websocket/internal/wire"
)

// maxBroken is how often in a row the source may say that there are newer changes and not give them, before the members
// are told to read by themselves.
const maxBroken = 5

// errBroken says that the source's answer has a hole: changes up to its head are missing.
var errBroken = errors.New("the changes have a hole")

// task is what a read is to do.
type task struct {
	kind    taskKind
	since   int64
	known   int64             // known when the read began: the source, asked later, cannot have less
	starts  []*Member         // the members that wait for the head
	claimed map[*Member]int64 // the members whose last nobody has confirmed, with it
}

type taskKind int

const (
	nothing taskKind = iota
	start            // read the head, for members that start there
	changes          // read the changes after since, for the member that is furthest behind and all on the way
)

// read serves a user's members until none wants a read. One runs for a user at a time.
func (h *Hub) read(u *user) {
	pause, broken := h.limits.RetryMin, 0
	for {
		t := h.next(u)
		if t.kind == nothing {
			return
		}
		err := h.do(u, t, broken >= maxBroken)
		if h.ctx.Err() != nil {
			return
		}
		if err == nil {
			pause, broken = h.limits.RetryMin, 0
			continue
		}
		if errors.Is(err, errBroken) {
			broken++
		}
		h.metrics.readFailures.Inc()
		if pause == h.limits.RetryMin { // once for an outage, not once for a try
			h.log.WarnContext(h.ctx, "changes cannot be read; trying again", "user_id", u.id, "error", err)
		}
		if !h.sleep(pause/2 + rand.N(pause/2+1)) {
			return
		}
		pause = min(2*pause, h.limits.RetryMax)
	}
}

// sleep is false when the hub ends.
func (h *Hub) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-h.ctx.Done():
		return false
	}
}

// next decides on the next read, or that there is none.
func (h *Hub) next(u *user) task {
	u.mu.Lock()
	defer u.mu.Unlock()
	t := task{known: u.known, claimed: map[*Member]int64{}}
	for _, m := range u.members {
		switch {
		case m.starting:
			t.starts = append(t.starts, m)
		case m.needsChanges(u.known):
			if t.kind == nothing || m.last < t.since {
				t.kind, t.since = changes, m.last
			}
			if m.unchecked {
				t.claimed[m] = m.last
			}
		}
	}
	if len(t.starts) > 0 {
		t.kind = start // they see nothing until they have begun
	}
	if t.kind == nothing {
		u.reading = false
		if !u.lagging() { // a member that waits for room goes on with the page
			u.page = page{}
		}
	}
	return t
}

func (h *Hub) do(u *user, t task, giveUp bool) error {
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	case <-h.ctx.Done():
		return h.ctx.Err()
	}
	if t.kind == start {
		head, err := h.head(u, t)
		if err != nil {
			return err
		}
		h.begin(u, t, head)
		return nil
	}
	h.metrics.reads.Inc()
	got, err := h.source.Changes(h.ctx, u.id, t.since, h.limits.Page)
	if errors.Is(err, ErrPruned) {
		head, err := h.head(u, t)
		if err != nil {
			return err
		}
		h.skip(u, t, head, wire.ReasonPruned)
		return nil
	}
	if errors.Is(err, ErrNoAccount) {
		h.dismiss(u)
		return nil
	}
	if err != nil {
		return fmt.Errorf("read changes after %d: %w", t.since, err)
	}
	frames := make([]*wire.Frame, len(got.Items))
	for i, ev := range got.Items {
		if ev.Seq != t.since+1+int64(i) {
			err = fmt.Errorf("%w: seq %d where %d is next", errBroken, ev.Seq, t.since+1+int64(i))
			frames = frames[:i]
			break
		}
		if frames[i], err = wire.Event(ev); err != nil {
			return err
		}
	}
	if err == nil && len(frames) == 0 && got.Head > t.since {
		err = fmt.Errorf("%w: none after %d, and the newest is %d", errBroken, t.since, got.Head)
	}
	if err != nil && giveUp {
		h.skip(u, t, got.Head, wire.ReasonMissing)
		return nil
	}
	h.metrics.replayed.Add(float64(len(frames)))
	h.apply(u, t, frames, got.Head)
	return err
}

// head is the user's newest seq. A user without changes has none: 0.
func (h *Hub) head(u *user, t task) (int64, error) {
	heads, err := h.source.Heads(h.ctx, []string{u.id})
	if err != nil {
		return 0, fmt.Errorf("read the head: %w", err)
	}
	head, ok := heads[u.id]
	if !ok && t.known > 0 {
		return 0, fmt.Errorf("read the head: none, though there are changes up to %d", t.known)
	}
	return head, nil
}

// begin lets members start at head.
func (h *Hub) begin(u *user, t task, head int64) {
	u.mu.Lock()
	slow := u.confirm(t, head)
	for _, m := range t.starts {
		if !m.gone {
			m.starting, m.last = false, head
			m.sink.Open(head)
		}
	}
	slow = append(slow, h.settle(u)...)
	u.mu.Unlock()
	h.evict(slow)
}

// apply sends the members what a read has brought.
func (h *Hub) apply(u *user, t task, frames []*wire.Frame, head int64) {
	u.mu.Lock()
	slow := u.confirm(t, head)
	for _, m := range u.members {
		if !m.starting && !m.unchecked && head-m.last > h.limits.Replay {
			slow = u.resync(m, wire.ReasonGap, head, slow)
		}
	}
	u.page = page{first: t.since + 1, frames: frames}
	slow = append(slow, h.settle(u)...)
	u.mu.Unlock()
	h.evict(slow)
}

// skip sends a resync to the members that a read was for: what they wait for is not to be had.
func (h *Hub) skip(u *user, t task, head int64, reason string) {
	u.mu.Lock()
	slow := u.confirm(t, head)
	for _, m := range u.members {
		if !m.starting && m.last <= t.since && m.last < head {
			slow = u.resync(m, reason, head, slow)
		}
	}
	slow = append(slow, h.settle(u)...)
	u.mu.Unlock()
	h.evict(slow)
}

// confirm takes in what the source says the newest seq is. What members claimed to have seen beyond it, or what was
// known before the source was asked and is not there, is a history that was set back (a restored database): they resync.
func (u *user) confirm(t task, head int64) (slow []*Member) {
	u.synced = true
	if head < t.known {
		u.known, u.window, u.page = head, nil, page{}
		for _, m := range u.members {
			if !m.starting && !m.unchecked && m.last > head {
				slow = u.resync(m, wire.ReasonRewound, head, slow)
			}
		}
	}
	u.known = max(u.known, head)
	for m, last := range t.claimed {
		switch {
		case m.gone || !m.unchecked:
		case last > head:
			slow = u.resync(m, wire.ReasonAhead, head, slow)
		default:
			m.unchecked = false
		}
	}
	return slow
}

// resync tells a member that the changes up to head are not coming, and goes on from there.
func (u *user) resync(m *Member, reason string, head int64, slow []*Member) []*Member {
	m.last, m.unchecked = head, false
	u.hub.metrics.resyncs.WithLabelValues(reason).Inc()
	if !m.sink.Push(wire.Resync(reason, head)) {
		return append(slow, m)
	}
	return slow
}
