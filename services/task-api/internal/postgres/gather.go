package postgres

import (
	"context"
	"errors"
	"slices"
	"sync"
)

const (
	// maxGroups is how many groups one process writes at the same time: one is made ready while the other is flushed to
	// disk. More make the groups smaller and each task dearer.
	maxGroups = 2
	// maxGroup bounds the tasks of a group: beyond some tens a larger one gains little, and with the longest texts it
	// would be megabytes.
	maxGroup = 32
)

// errGroup says that the function that was to decide a request ended before it did.
var errGroup = errors.New("the group of the request ended early")

// gatherer puts requests that come at the same time into groups. A request that finds a free place goes at once and
// alone; while all places are taken, requests wait and go together as soon as one is free. Nobody waits for a group to
// fill.
//
// There is no goroutine but those of the requests: the first of a group leads it and works for the others. A user's
// requests are in one group at a time, in the order in which they came.
type gatherer struct {
	mu      sync.Mutex
	running int
	users   map[string]bool // those with requests in a running group
	waiting []*member
}

// member is a request in a gatherer.
type member struct {
	*creation
	lead chan []*member // gets the group that the request leads
	done chan struct{}
}

func newGatherer() *gatherer { return &gatherer{users: map[string]bool{}} }

// do returns when run, called by this request or another one of its group, has decided c. It returns ctx's error when
// ctx ends before: the request is then not written if it had still waited, else nobody knows.
func (g *gatherer) do(ctx context.Context, c *creation, run func([]*creation)) error {
	m := &member{creation: c, lead: make(chan []*member, 1), done: make(chan struct{})}
	g.mu.Lock()
	g.waiting = append(g.waiting, m)
	g.start()
	g.mu.Unlock()
	select {
	case group := <-m.lead:
		g.run(group, run)
		return nil
	case <-m.done:
		return nil
	case <-ctx.Done():
	}
	if g.leave(m) {
		return context.Cause(ctx)
	}
	select {
	case group := <-m.lead: // the others depend on it
		g.run(group, run)
		return nil
	default:
		return context.Cause(ctx)
	}
}

// leave takes a request back that still waits.
func (g *gatherer) leave(m *member) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.waiting, m)
	if i >= 0 {
		g.waiting = slices.Delete(g.waiting, i, i+1)
	}
	return i >= 0
}

// start makes groups of those who wait, as long as there are places. The caller holds mu.
func (g *gatherer) start() {
	for g.running < maxGroups {
		group := g.next()
		if len(group) == 0 {
			return
		}
		g.running++
		group[0].lead <- group
	}
}

// next takes the requests of the next group out of those who wait. A repetition of a request of the group waits: the
// next group finds the answer.
func (g *gatherer) next() (group []*member) {
	mine := map[string]bool{}
	type userKey struct{ user, key string }
	keys := map[userKey]bool{}
	g.waiting = slices.DeleteFunc(g.waiting, func(m *member) bool {
		if len(group) == maxGroup || (g.users[m.UserID] && !mine[m.UserID]) {
			return false
		}
		if m.Key != nil {
			key := userKey{m.UserID, m.Key.Key}
			if keys[key] {
				return false
			}
			keys[key] = true
		}
		g.users[m.UserID], mine[m.UserID] = true, true
		group = append(group, m)
		return true
	})
	return group
}

// run leads a group.
func (g *gatherer) run(group []*member, run func([]*creation)) {
	ended := false
	defer func() { // also when run panics
		g.mu.Lock()
		g.running--
		for _, m := range group {
			delete(g.users, m.UserID)
		}
		g.start()
		g.mu.Unlock()
		for _, m := range group {
			if !ended && m.err == nil {
				m.err = errGroup
			}
			close(m.done)
		}
	}()
	all := make([]*creation, len(group))
	for i, m := range group {
		all[i] = m.creation
	}
	run(all)
	ended = true
}
