package hub

import (
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/taskwire/taskwire/pkg/events/live"
)

// This file has the reads from a source: what is read next, and when a failed read is retried. resync.go has what the
// members get from it.

// errIncomplete says that the source's answer lacks events that its head claims.
var errIncomplete = errors.New("events are missing in the answer")

// readPlan is the next read of a stream.
type readPlan struct {
	kind     readKind
	since    int64
	known    int64             // stream.known before the read: the source cannot have less when it is asked later
	starting []*Member         // the members that wait for the head
	claimed  map[*Member]int64 // the last of each unchecked member
}

type readKind int

const (
	readNothing readKind = iota
	readHead             // for the members that start at the head
	readEvents           // the events after since, for the member that is furthest behind
)

// read serves a user's members until none needs a read. At most one runs for a stream of a user.
func (h *Hub) read(s *stream) {
	pauses := &backoff.ExponentialBackOff{
		InitialInterval: h.limits.RetryMin, MaxInterval: h.limits.RetryMax, Multiplier: retryMultiplier, RandomizationFactor: retryJitter,
	}
	failing, incomplete := false, 0
	for {
		plan := s.planRead()
		if plan.kind == readNothing {
			return
		}
		err := h.execute(s, plan, incomplete >= maxIncomplete)
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
		s.feed().metrics.readFailures.Inc()
		if !failing { // one line for an outage, not one for each attempt
			h.log.WarnContext(h.ctx, "events cannot be read; retrying", "stream", names[s.kind], "user_id", s.user.id, "error", err)
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
func (s *stream) planRead() readPlan {
	s.user.mu.Lock()
	defer s.user.mu.Unlock()
	plan := readPlan{known: s.known, claimed: map[*Member]int64{}}
	for _, m := range s.user.members {
		p := s.place(m)
		switch {
		case p.starting:
			plan.starting = append(plan.starting, m)
		case s.needsEvents(m):
			if plan.kind == readNothing || p.last < plan.since {
				plan.kind, plan.since = readEvents, p.last
			}
			if p.unchecked {
				plan.claimed[m] = p.last
			}
		}
	}
	if len(plan.starting) > 0 {
		plan.kind = readHead
	}
	if plan.kind == readNothing {
		s.reading = false
		if !s.anyBehind() { // a member that waits for capacity continues with the page
			s.page = page{}
		}
	}
	return plan
}

// execute runs a read and gives the members its result. With giveUp, an incomplete answer makes them resync.
func (h *Hub) execute(s *stream, plan readPlan, giveUp bool) error {
	feed := s.feed()
	select {
	case feed.slots <- struct{}{}:
		defer func() { <-feed.slots }()
	case <-h.ctx.Done():
		return h.ctx.Err()
	}
	feed.metrics.reads.Inc()
	asked := time.Now()
	var got Page
	var err error
	if plan.kind == readEvents {
		got, err = feed.source.Read(h.ctx, s.user.id, plan.since, h.limits.Page)
	}
	pruned := errors.Is(err, ErrPruned)
	if plan.kind == readHead || pruned {
		got, err = feed.source.Read(h.ctx, s.user.id, Newest, 1)
	}
	switch {
	case errors.Is(err, ErrNoAccount):
		h.accountGone(s.user)
		return nil
	case err != nil:
		return fmt.Errorf("read the stream %s after %d: %w", names[s.kind], plan.since, err)
	}
	if s.kind == tasks {
		s.user.saw(asked)
	}
	h.endSessions(s.user, got.Ended...) // before they see the page
	switch {
	case pruned:
		h.resyncWaiting(s, plan, got, live.ReasonPruned)
		return nil
	case plan.kind == readHead:
		h.begin(s, plan, got)
		return nil
	}
	got.Events, err = contiguous(got, plan.since)
	if err != nil && giveUp {
		h.resyncWaiting(s, plan, got, live.ReasonMissing)
		return nil
	}
	feed.metrics.replayed.Add(float64(len(got.Events)))
	h.apply(s, plan, got)
	return err
}

// contiguous returns the events after since up to the first one that is missing, and errIncomplete when one is.
func contiguous(got Page, since int64) ([]Event, error) {
	for i, ev := range got.Events {
		if next := since + 1 + int64(i); ev.Seq != next {
			return got.Events[:i], fmt.Errorf("%w: %d follows %d", errIncomplete, ev.Seq, next-1)
		}
	}
	if len(got.Events) == 0 && got.Head > since {
		return nil, fmt.Errorf("%w: none after %d, and the newest is %d", errIncomplete, since, got.Head)
	}
	return got.Events, nil
}
