package accounts

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/services/task-api/internal/publish"
)

// This file records refused log-ins of existing accounts. The owner sees them in the audit log. An attacker decides how many there
// are, so for one account and address the first makes an event at once, and the later ones at most one event in refusalPeriod,
// with their number.

const (
	// refusalPeriod is the least time between two events of one account and address: an hour of guessing makes 60 entries.
	refusalPeriod = time.Minute
	// refusalTick is how often the counts are looked at. It is the most by which an event is later than its period.
	refusalTick = 5 * time.Second
	// maxRefusals bounds the memory to some megabytes. When there are as many accounts and addresses, refusals of further ones
	// are in the log only, until the period of some is over.
	maxRefusals = 16_384
	// lastRefusals bounds the writing of the counts when the service stops.
	lastRefusals = 2 * time.Second

	reasonWrong = "wrong password"
)

// refusals counts refused log-ins. It is safe for concurrent use. What it has counted and not written yet is lost when the process
// dies; the log lines stay.
type refusals struct {
	wake chan struct{} // receives a value after a first refusal

	mu    sync.Mutex
	count map[refusalKey]*refusal
}

type refusalKey struct{ userID, client string }

type refusal struct {
	by      Client // of the newest refusal
	n       int64  // refusals since the last event
	written time.Time
}

func newRefusals() *refusals {
	return &refusals{wake: make(chan struct{}, 1), count: map[refusalKey]*refusal{}}
}

// refuse logs and counts a refused log-in. userID is "" if there is no account. The e-mail that was typed is not logged then: it
// may be a password, or the address of somebody who has no part in this.
func (s *Service) refuse(ctx context.Context, userID string, by Client) {
	if userID == "" {
		s.log.WarnContext(ctx, "refused a log-in: no such account", "address", by.Address())
		return
	}
	s.log.WarnContext(ctx, "refused a log-in: "+reasonWrong, "user_id", userID, "address", by.Address())
	s.refused.add(userID, by)
}

func (r *refusals) add(userID string, by Client) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := refusalKey{userID, by.key()}
	c, known := r.count[key]
	if !known {
		if len(r.count) >= maxRefusals {
			return
		}
		c = &refusal{}
		r.count[key] = c
		select {
		case r.wake <- struct{}{}:
		default: // a wake is pending already
		}
	}
	c.by = by
	c.n++
}

// due is a count that is to be written.
type due struct {
	refusalKey
	refusal
}

// take returns the counts whose event is due, and forgets those whose period is over. With all, it returns every count.
func (r *refusals) take(now time.Time, all bool) (list []due) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, c := range r.count {
		over := now.Sub(c.written) >= refusalPeriod
		switch {
		case c.n > 0 && (over || all):
			list = append(list, due{key, *c})
			c.n, c.written = 0, now
		case over:
			delete(r.count, key)
		}
	}
	return list
}

// giveBack adds a count that could not be written, for the next time.
func (r *refusals) giveBack(d due) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c, ok := r.count[d.refusalKey]; ok {
		c.n += d.n
		c.written = d.written
	}
}

// RunRefusals writes the events of refused log-ins until ctx ends, and then those that were counted.
func (s *Service) RunRefusals(ctx context.Context) error {
	tick := time.NewTicker(refusalTick)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastRefusals)
			defer cancel()
			s.writeRefusals(last, true)
			return nil
		case <-s.refused.wake:
		case <-tick.C:
		}
		s.writeRefusals(ctx, false)
	}
}

// writeRefusals writes the events that are due. What cannot be written is tried again with the next tick.
func (s *Service) writeRefusals(ctx context.Context, all bool) {
	now := s.instant()
	failed := 0
	var failure error
	for _, d := range s.refused.take(now, all) {
		change := publish.AccountChange{Type: events.AccountLoginRefused, Reason: reasonWrong}
		if d.n > 1 {
			change.Count = d.n
		}
		record, _ := s.recorder(ctx, change, d.by, now)
		if err := s.store.Note(ctx, d.userID, record); err != nil && !errors.Is(err, ErrNoUser) { // the account may be deleted by now
			s.refused.giveBack(d)
			failed, failure = failed+1, err
		}
	}
	if failed > 0 {
		s.log.WarnContext(ctx, "could not record refused log-ins; trying again", slog.Int("accounts", failed), slog.String("error", failure.Error()))
	}
}
