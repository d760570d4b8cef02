package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// gathering is a gatherer whose groups end when the test says so. It runs in a synctest bubble.
type gathering struct {
	*gatherer
	mu     sync.Mutex
	groups [][]string // the ids of each, in the order in which they began
	end    chan struct{}
}

func newGathering() *gathering {
	g := &gathering{end: make(chan struct{})}
	g.gatherer = newGatherer(func(ctx context.Context, group []*creation) {
		var ids []string
		for _, c := range group {
			ids = append(ids, strings.TrimRight(string(c.id[:]), "\x00"))
		}
		g.mu.Lock()
		g.groups = append(g.groups, ids)
		g.mu.Unlock()
		select {
		case <-g.end:
		case <-ctx.Done():
			for _, c := range group {
				c.err = ctx.Err()
			}
		}
	})
	return g
}

// send sends a request and returns where its outcome will be, once it has joined a group or waits.
func (g *gathering) send(ctx context.Context, user, id string) <-chan error {
	out := make(chan error, 1)
	go func() {
		c := &creation{CreateRequest: CreateRequest{UserID: user}, ctx: ctx}
		copy(c.id[:], id)
		err := g.do(ctx, c)
		if err == nil {
			err = c.err
		}
		out <- err
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

func TestTheNextGroupGoesBesideOneOnItsWayWhenItIsAsLargeOrThatOneEndsOrTakesLong(t *testing.T) {
	for name, tc := range map[string]struct {
		then func(t *testing.T, g *gathering)
		want string
	}{
		"as large":   {func(t *testing.T, g *gathering) { g.send(t.Context(), "h", "h") }, "[f g h]"},
		"it ends":    {func(_ *testing.T, g *gathering) { g.end <- struct{}{} }, "[f g]"},
		"takes long": {func(_ *testing.T, _ *gathering) { time.Sleep(patience) }, "[f g]"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGathering()
				for _, id := range []string{"a", "b", "c", "d", "e"} {
					g.send(t.Context(), id, id)
				}
				for range 2 { // a and b
					g.end <- struct{}{}
					synctest.Wait()
				}
				g.send(t.Context(), "f", "f")
				g.send(t.Context(), "g", "g")
				g.want(t, "[a]", "[b]", "[c d e]")
				tc.then(t, g)
				g.want(t, "[a]", "[b]", "[c d e]", tc.want)
				close(g.end)
			})
		})
	}
}

func TestNobodyWaitsForAGroupThatHasEndedBesideOneThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGathering()
		ctx, cancel := context.WithCancel(t.Context())
		g.send(t.Context(), "a", "a")
		g.send(t.Context(), "b", "b") // hangs
		for _, id := range []string{"c", "d", "e"} {
			g.send(ctx, id, id)
		}
		time.Sleep(patience)
		g.end <- struct{}{} // a
		g.want(t, "[a]", "[b]", "[c d e]")
		g.send(t.Context(), "f", "f")
		g.send(t.Context(), "g", "g")
		cancel() // c, d and e
		g.want(t, "[a]", "[b]", "[c d e]", "[f g]")
		close(g.end)
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

func TestAGroupGoesOnForWhoeverStillAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGathering()
		g.running = maxGroups
		first, giveUpFirst := context.WithCancel(t.Context())
		second, giveUpSecond := context.WithCancel(t.Context())
		a, b := g.send(first, "a", "a"), g.send(second, "b", "b")
		g.gatherer.mu.Lock()
		g.running = 0
		g.start()
		g.gatherer.mu.Unlock()
		giveUpFirst()
		if err := <-a; !errors.Is(err, context.Canceled) {
			t.Errorf("given up: got %v", err)
		}
		synctest.Wait()
		if g.running != 1 {
			t.Errorf("the group of one that still asks: %d running, want 1", g.running)
		}
		giveUpSecond()
		if err := <-b; !errors.Is(err, context.Canceled) {
			t.Errorf("given up: got %v", err)
		}
		synctest.Wait()
		if g.running != 0 || len(g.users) != 0 {
			t.Errorf("nobody asks any more: %d running, users %v", g.running, g.users)
		}
	})
}

func TestAGroupThatHangsIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGathering()
		if err := <-g.send(t.Context(), "a", "a"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want that the time is over", err)
		}
	})
}

func TestAPanicIsAnErrorOfEachOfTheGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGatherer(func(context.Context, []*creation) { panic("broken") })
		for range maxGroups + 1 { // a place is not lost
			c := &creation{ctx: t.Context()}
			if err := g.do(t.Context(), c); err != nil || c.err == nil || !strings.Contains(c.err.Error(), "broken") {
				t.Errorf("got %v and %v, want the panic", err, c.err)
			}
		}
	})
}
