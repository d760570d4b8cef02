package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
)

// gathering is a gatherer whose groups end when the test says so. It runs in a synctest bubble.
type gathering struct {
	*gatherer
	mu     sync.Mutex
	groups [][]string // the ids of each, in the order in which they began
	end    chan struct{}
}

func newGathering() *gathering { return &gathering{gatherer: newGatherer(), end: make(chan struct{})} }

// send sends a request and returns where its outcome will be, once it has joined a group or waits.
func (g *gathering) send(ctx context.Context, user, id string) <-chan error {
	out := make(chan error, 1)
	go func() {
		c := &creation{CreateRequest: CreateRequest{UserID: user}, id: id}
		err := g.do(ctx, c, func(group []*creation) {
			var ids []string
			for _, c := range group {
				ids = append(ids, c.id)
			}
			g.mu.Lock()
			g.groups = append(g.groups, ids)
			g.mu.Unlock()
			<-g.end
		})
		out <- errors.Join(err, c.err)
	}()
	synctest.Wait()
	return out
}

func (g *gathering) want(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	g.mu.Lock()
	defer g.mu.Unlock()
	var got []string
	for _, ids := range g.groups {
		got = append(got, fmt.Sprint(ids))
	}
	if !slices.Equal(got, want) {
		t.Errorf("groups: got %v, want %v", got, want)
	}
}

func TestRequestsGoAtOnceWhileThereArePlacesAndThenTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGathering()
		var all []<-chan error
		for _, id := range []string{"a", "b", "c", "d", "e"} {
			all = append(all, g.send(t.Context(), "user "+id, id))
		}
		g.want(t, "[a]", "[b]")
		g.end <- struct{}{}
		g.want(t, "[a]", "[b]", "[c d e]")
		close(g.end)
		for _, out := range all {
			if err := <-out; err != nil {
				t.Error(err)
			}
		}
		if g.running != 0 || len(g.users)+len(g.waiting) != 0 {
			t.Errorf("left: %d running, users %v, %d waiting", g.running, g.users, len(g.waiting))
		}
	})
}

func TestAUsersRequestsAreInOneGroupAtATimeInTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGathering()
		for _, id := range []string{"a1", "a2", "b1", "a3"} {
			g.send(t.Context(), id[:1], id)
		}
		g.want(t, "[a1]", "[b1]")
		g.end <- struct{}{} // one of the two
		g.end <- struct{}{}
		g.want(t, "[a1]", "[b1]", "[a2 a3]")
		close(g.end)
	})
}

func TestAGroupIsBounded(t *testing.T) {
	for _, n := range []int{maxGroup, maxGroup + 1} {
		synctest.Test(t, func(t *testing.T) {
			g := newGathering()
			g.running = maxGroups
			for i := range n {
				g.send(t.Context(), "a", fmt.Sprint(i))
			}
			g.gatherer.mu.Lock()
			g.running = 0
			g.start()
			g.gatherer.mu.Unlock()
			synctest.Wait()
			if got := len(g.groups[0]); len(g.groups) != 1 || got != maxGroup || len(g.waiting) != n-maxGroup {
				t.Errorf("%d requests: got a group of %d, %d waiting; want %d, %d", n, got, len(g.waiting), maxGroup, n-maxGroup)
			}
			close(g.end)
		})
	}
}

func TestARequestThatIsGivenUpWhileItWaitsIsInNoGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGathering()
		first := g.send(t.Context(), "a", "a1")
		ctx, cancel := context.WithCancel(t.Context())
		second := g.send(ctx, "a", "a2")
		third := g.send(t.Context(), "a", "a3")
		cancel()
		if err := <-second; !errors.Is(err, context.Canceled) {
			t.Errorf("given up: got %v", err)
		}
		g.end <- struct{}{}
		g.want(t, "[a1]", "[a3]")
		close(g.end)
		if err := errors.Join(<-first, <-third); err != nil {
			t.Error(err)
		}
	})
}

// TestALeaderThatIsGivenUpLeads: the others of its group depend on it, and the places of a gatherer on each.
func TestALeaderThatIsGivenUpLeads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGathering()
		close(g.end)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for range 50 { // select chooses at random between its place and its end
			<-g.send(ctx, "a", "a")
		}
		if err := <-g.send(t.Context(), "a", "last"); err != nil || g.running != 0 {
			t.Errorf("after it: got %v, %d running", err, g.running)
		}
	})
}

func TestAPanicOfALeaderIsAnErrorOfItsGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGatherer()
		g.running = maxGroups
		outcome := make(chan error, 2)
		for range 2 {
			go func() {
				c := &creation{}
				defer func() {
					if p := recover(); p != nil {
						outcome <- fmt.Errorf("panic: %v", p)
					}
				}()
				err := g.do(t.Context(), c, func([]*creation) { panic("broken") })
				outcome <- errors.Join(err, c.err)
			}()
			synctest.Wait()
		}
		g.mu.Lock()
		g.running = 0
		g.start()
		g.mu.Unlock()
		if a, b := <-outcome, <-outcome; !errors.Is(errors.Join(a, b), errGroup) || a == nil || b == nil || g.running != 0 {
			t.Errorf("got %v and %v, %d running; want the panic and errGroup", a, b, g.running)
		}
	})
}
