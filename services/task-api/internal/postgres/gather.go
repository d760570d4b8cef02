package postgres

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"
)

const (
	// maxGroups is how many groups one process writes at the same time: one is made ready while the other is flushed to
	// disk. More make the groups smaller and each task dearer.
	maxGroups = 2
	// patience is how long a group is taken to be on its way: it needs some milliseconds. One that takes longer waits for
	// something, and nobody waits for it any more.
	patience = 100 * time.Millisecond
	// maxGroup bounds the tasks of a group: beyond some tens a larger one gains little, and with the longest texts it
	// would be megabytes.
	maxGroup = 32
	// groupTimeout bounds a group's two round trips and its wait for a connection. It is below what a request may take,
	// so that those that wait behind a group that hangs have their turn.
	groupTimeout = 10 * time.Second
)

// gatherer puts requests that come at the same time into groups. A request that finds nobody on the way goes at once and
// alone. While a group is on its way, the next one goes beside it as soon as it is as large, and else when that one ends
// or has lost patience: groups of very different size would make the small ones the rule, and every task dearer. Nobody
// waits for a group to fill where nothing is on its way.
//
// A user's requests are in one group at a time, in the order in which they came. A group outlives the requests that are
// given up, but not all of them: then its context ends.
type gatherer struct {
	run     func(ctx context.Context, group []*creation) // decides them; may leave an error in each
	mu      sync.Mutex
	running int
	groups  map[*group]bool // those that are running
	users   map[string]bool // those with requests in them
	waiting []*member
}

// member is a request in a gatherer.
type member struct {
	*creation
	group *group // nil while it waits
	done  chan struct{}
}

type group struct {
	members []*member
	asking  int // those that are not given up
	cancel  context.CancelFunc
	began   time.Time
	late    *time.Timer // when patience with it ends
}

func newGatherer(run func(context.Context, []*creation)) *gatherer {
	return &gatherer{run: run, groups: map[*group]bool{}, users: map[string]bool{}}
}

// do returns when c is decided. It returns ctx's error when ctx ends before: the request is then not written if it still
// waited, else nobody knows.
func (g *gatherer) do(ctx context.Context, c *creation) error {
	m := &member{creation: c, done: make(chan struct{})}
	g.mu.Lock()
	g.waiting = append(g.waiting, m)
	g.start()
	g.mu.Unlock()
	select {
	case <-m.done:
		return nil
	case <-ctx.Done():
		g.leave(m)
		return context.Cause(ctx)
	}
}

// leave gives a request up.
func (g *gatherer) leave(m *member) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if m.group == nil {
		g.waiting = slices.DeleteFunc(g.waiting, func(x *member) bool { return x == m })
		return
	}
	if m.group.asking--; m.group.asking == 0 {
		m.group.cancel()
	}
}

// start makes groups of those who wait, as long as there are places. The caller holds mu.
func (g *gatherer) start() {
	for g.running < maxGroups {
		if g.worthWaiting() {
			return
		}
		members := g.next()
		if len(members) == 0 {
			return
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(members[0].ctx), groupTimeout)
		next := &group{members: members, asking: len(members), cancel: cancel, began: time.Now()}
		next.late = time.AfterFunc(patience, g.again) // after began, or it would find patience left
		for _, m := range members {
			m.group = next
		}
		g.running++
		g.groups[next] = true
		go g.decide(ctx, next)
	}
}

// worthWaiting tells whether a group is on its way that is larger than the next one would be, and will end soon.
func (g *gatherer) worthWaiting() bool {
	for gr := range g.groups {
		if len(g.waiting) < len(gr.members) && time.Since(gr.began) < patience {
			return true
		}
	}
	return false
}

// again lets those go who waited for a group that takes too long.
func (g *gatherer) again() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.start()
}

// next takes the requests of the next group out of those who wait. A repetition of a request of the group waits: the
// next group finds the answer.
func (g *gatherer) next() (members []*member) {
	mine := map[string]bool{}
	type userKey struct{ user, key string }
	keys := map[userKey]bool{}
	g.waiting = slices.DeleteFunc(g.waiting, func(m *member) bool {
		if len(members) == maxGroup || (g.users[m.UserID] && !mine[m.UserID]) {
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
		members = append(members, m)
		return true
	})
	return members
}

// decide runs a group and gives its place to the next one.
func (g *gatherer) decide(ctx context.Context, gr *group) {
	list := make([]*creation, len(gr.members))
	for i, m := range gr.members {
		list[i] = m.creation
	}
	defer func() {
		if p := recover(); p != nil { // nobody else would
			for _, c := range list {
				c.err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
			}
		}
		gr.cancel()
		gr.late.Stop()
		g.mu.Lock()
		g.running--
		delete(g.groups, gr)
		for _, m := range gr.members {
			delete(g.users, m.UserID)
		}
		g.start()
		g.mu.Unlock()
		for _, m := range gr.members {
			close(m.done)
		}
	}()
	g.run(ctx, list)
}
