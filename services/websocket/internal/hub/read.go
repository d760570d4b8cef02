package hub

import (
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/taskwire/taskwire/pkg/events/live"
	"github.com/taskwire/taskwire/services/websocket/internal/wire"
)

// This file has the reads from the task API: what is read next, and when a failed read is retried. resync.go has what
// the members get from it.

// errIncomplete says that the source's answer lacks changes that its head claims.
var errIncomplete = errors.New("changes are missing in the answer")

// readPlan is the next read of a user.
type readPlan struct {
	kind     readKind
	since    int64
	known    int64             // user.known before the read: the source cannot have less when it is asked later
	starting []*Member         // the members that wait for the head
	claimed  map[*Member]int64 // the last of each unchecked member
}

type readKind int

const (
	readNothing readKind = iota
	readHead             // for the members that start at the head
	readChanges          // the changes after since, for the member that is furthest behind
)

// read serves a user's members until none needs a read. At most one runs for a user.
func (h *Hub) read(u *user) {
	pauses := &backoff.ExponentialBackOff{
		InitialInterval: h.limits.RetryMin, MaxInterval: h.limits.RetryMax, Multiplier: retryMultiplier, RandomizationFactor: retryJitter,
	}
	failing, incomplete := false, 0
	for {
		plan := h.planRead(u)
		if plan.kind == readNothing {
			return
		}
		err := h.execute(u, plan, incomplete >= maxIncomplete)
		if h.ctx.Err() != nil {
			return
		}
		if err == nil {
			pauses.Reset()
			failing, incomplete = false, 0
			continue
		}
		if errors.Is(err, errIncomplete) {
			incomplete++
		}
		h.metrics.readFailures.Inc()
		if !failing { // one line for an outage, not one for each attempt
			h.log.WarnContext(h.ctx, "changes cannot be read; retrying", "user_id", u.id, "error", err)
		}
		failing = true
		if !h.sleep(pauses.NextBackOff()) {
			return
		}
	}
}

// sleep returns false when the hub is closed.
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

// planRead returns the next read. Members that start at the head come first: they see nothing until they have begun.
func (h *Hub) planRead(u *user) readPlan {
	u.mu.Lock()
	defer u.mu.Unlock()
	plan := readPlan{known: u.known, claimed: map[*Member]int64{}}
	for _, m := range u.members {
		switch {
		case m.starting:
			plan.starting = append(plan.starting, m)
		case m.needsChanges(u.known):
			if plan.kind == readNothing || m.last < plan.since {
				plan.kind, plan.since = readChanges, m.last
			}
			if m.unchecked {
				plan.claimed[m] = m.last
			}
		}
	}
	if len(plan.starting) > 0 {
		plan.kind = readHead
	}
	if plan.kind == readNothing {
		u.reading = false
		if !u.anyBehind() { // a member that waits for capacity continues with the page
			u.page = page{}
		}
	}
	return plan
}

// execute runs a read and gives the members its result. With giveUp, an incomplete answer makes them resync.
func (h *Hub) execute(u *user, plan readPlan, giveUp bool) error {
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	case <-h.ctx.Done():
		return h.ctx.Err()
	}
	if plan.kind == readHead {
		head, err := h.head(u, plan)
		if err != nil {
			return err
		}
		h.begin(u, plan, head)
		return nil
	}
	h.metrics.reads.Inc()
	got, err := h.source.Changes(h.ctx, u.id, plan.since, h.limits.Page)
	switch {
	case errors.Is(err, ErrPruned):
		head, err := h.head(u, plan)
		if err != nil {
			return err
		}
		h.resyncWaiting(u, plan, head, live.ReasonPruned)
		return nil
	case errors.Is(err, ErrNoAccount):
		h.evictAll(u)
		return nil
	case err != nil:
		return fmt.Errorf("read changes after %d: %w", plan.since, err)
	}
	frames, err := contiguous(got, plan.since)
	if err != nil && !errors.Is(err, errIncomplete) {
		return err
	}
	if err != nil && giveUp {
		h.resyncWaiting(u, plan, got.Head, live.ReasonMissing)
		return nil
	}
	h.metrics.replayed.Add(float64(len(frames)))
	h.apply(u, plan, frames, got.Head)
	return err
}

// contiguous returns the frames of the changes after since up to the first one that is missing, and errIncomplete when one
// is.
func contiguous(got Changes, since int64) ([]*wire.Frame, error) {
	frames := make([]*wire.Frame, 0, len(got.Items))
	for _, ev := range got.Items {
		next := since + 1 + int64(len(frames))
		if ev.Seq != next {
			return frames, fmt.Errorf("%w: seq %d follows %d", errIncomplete, ev.Seq, next-1)
		}
		frame, err := wire.Event(ev)
		if err != nil {
			return nil, err
		}
		frames = append(frames, frame)
	}
	if len(frames) == 0 && got.Head > since {
		return nil, fmt.Errorf("%w: none after %d, and the newest is %d", errIncomplete, since, got.Head)
	}
	return frames, nil
}

// head returns the user's newest seq, which is 0 for a user without changes.
func (h *Hub) head(u *user, plan readPlan) (int64, error) {
	heads, err := h.source.Heads(h.ctx, []string{u.id})
	if err != nil {
		return 0, fmt.Errorf("read the head: %w", err)
	}
	head, ok := heads[u.id]
	if !ok && plan.known > 0 {
		return 0, fmt.Errorf("read the head: the source has none, but there are changes up to %d", plan.known)
	}
	return head, nil
}
