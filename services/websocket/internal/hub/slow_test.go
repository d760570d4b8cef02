package hub_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/events/live"
	"github.com/taskwire/taskwire/services/websocket/internal/hub"
	"github.com/taskwire/taskwire/services/websocket/internal/hubtest"
)

func TestOnlyTheSlowMemberIsClosed(t *testing.T) {
	t.Parallel()
	bubble(t, limits(), func(t *testing.T, h *hub.Hub, s *hubtest.Source) {
		slow, quick := &page{bound: 4}, &page{}
		joinAs(t, h, 0, slow)
		joinAs(t, h, 0, quick)
		synctest.Wait()
		for range 6 {
			update(t, h, s.Add("u"))
		}
		wants(t, "the quick one", quick, append([]string{"welcome 0"}, seqs(1, 6)...)...)
		wants(t, "the slow one", slow, append([]string{"welcome 0"}, seqs(1, 4)...)...)
		if slow.closed == nil || slow.closed.Code != live.Slow {
			t.Errorf("the slow one: closed with %v, want slow", slow.closed)
		}
	})
}

func TestCatchingUpWaitsForASlowMember(t *testing.T) {
	t.Parallel()
	bubble(t, limits(), func(t *testing.T, h *hub.Hub, s *hubtest.Source) {
		s.AddN("u", 90)
		p := &page{bound: 8}
		joinAs(t, h, 0, p)
		for range 100 { // it takes a little at a time, while live events come
			synctest.Wait()
			if rand.N(4) == 0 {
				update(t, h, s.Add("u"))
			}
			p.take()
			synctest.Wait()
		}
		if p.closed != nil {
			t.Fatalf("closed with %v while it was catching up", p.closed)
		}
		p.take()
		time.Sleep(3 * time.Second)
		head := s.Len("u")
		wants(t, "all of it", p, append([]string{"welcome 0"}, seqs(1, head)...)...)
	})
}

func TestAUserHasABoundedNumberOfMembers(t *testing.T) {
	t.Parallel()
	l := limits()
	l.PerUser = 2
	bubble(t, l, func(t *testing.T, h *hub.Hub, s *hubtest.Source) {
		_, first := join(t, h, 0)
		join(t, h, 0)
		zero := int64(0)
		if _, err := h.Join("u", &zero, &page{}); !errors.Is(err, hub.ErrTooMany) {
			t.Errorf("third Join: got %v, want ErrTooMany", err)
		}
		h.Leave(first)
		h.Leave(first) // twice does nothing
		join(t, h, 0)
	})
}

func TestAReturningUserMissesNothing(t *testing.T) {
	t.Parallel()
	bubble(t, limits(), func(t *testing.T, h *hub.Hub, s *hubtest.Source) {
		_, m := join(t, h, 0)
		update(t, h, s.Add("u"))
		h.Leave(m)
		update(t, h, s.AddN("u", 2)...) // the user is not connected
		p, _ := join(t, h, 1)
		wants(t, "back", p, "welcome 1", "2", "3")
	})
}

func TestManyUsersAreSweptInParts(t *testing.T) {
	t.Parallel()
	bubble(t, limits(), func(t *testing.T, h *hub.Hub, s *hubtest.Source) {
		const users = 2*hub.MaxHeads + 7
		pages := make([]*page, users)
		zero := int64(0)
		for i := range pages {
			pages[i] = &page{}
			if _, err := h.Join(fmt.Sprint("user ", i), &zero, pages[i]); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		for i := range pages {
			s.Add(fmt.Sprint("user ", i))
		}
		time.Sleep(3 * time.Second)
		for i, p := range pages {
			wants(t, fmt.Sprint("user ", i), p, "welcome 0", "1")
		}
	})
}

const (
	randomRuns      = 60 // about 10 s with -race
	randomRunsShort = 10 // with -short
)

// TestEverySeqOnceUnderRandomDeliveries checks the hub's promise: some deliveries arrive twice, some never and most out of
// order, the task API fails now and then, and members join, leave, are slow and return.
func TestEverySeqOnceUnderRandomDeliveries(t *testing.T) {
	t.Parallel()
	runs := uint64(randomRuns)
	if testing.Short() {
		runs = randomRunsShort
	}
	for seed := range runs {
		bubble(t, limits(), func(t *testing.T, h *hub.Hub, s *hubtest.Source) {
			r := rand.New(rand.NewPCG(seed, 1))
			type client struct {
				page   *page
				member *hub.Member
				since  int64
			}
			connect := func(since int64) *client {
				p := &page{bound: 4 + r.IntN(30)}
				return &client{page: p, member: joinAs(t, h, since, p), since: since}
			}
			clients := make([]*client, 1+r.IntN(4))
			for i := range clients {
				clients[i] = connect(0)
			}
			var held []events.TaskUpdateEvent // delivered later
			for range 400 {
				switch n := r.IntN(20); {
				case n < 10:
					held = append(held, s.Add("u"))
				case n == 10:
					s.Fail(errors.New("down"))
				case n == 11 || n == 12:
					s.Fail(nil)
				case n == 13:
					time.Sleep(time.Duration(r.IntN(400)) * time.Millisecond)
				case n == 14: // a client leaves and returns with the last seq it saw
					i := r.IntN(len(clients))
					h.Leave(clients[i].member)
					clients[i] = connect(checkPage(t, seed, clients[i].page, clients[i].since))
				default:
					clients[r.IntN(len(clients))].page.take()
				}
				for len(held) > 0 && r.IntN(2) == 0 {
					i := r.IntN(len(held))
					ev := held[i]
					held = append(held[:i], held[i+1:]...)
					switch r.IntN(4) {
					case 0: // lost
					case 1:
						update(t, h, ev, ev)
					default:
						update(t, h, ev)
					}
				}
				if r.IntN(3) == 0 {
					synctest.Wait()
				}
			}
			s.Fail(nil)
			for i := range clients { // a closed client returns; then all take what there is
				for range 400 {
					c := clients[i]
					c.page.mu.Lock()
					closed := c.page.closed
					c.page.mu.Unlock()
					if closed != nil {
						clients[i] = connect(checkPage(t, seed, c.page, c.since))
					}
					time.Sleep(100 * time.Millisecond)
					clients[i].page.take()
					synctest.Wait()
				}
			}
			for i, c := range clients {
				if got, want := checkPage(t, seed, c.page, c.since), int64(s.Len("u")); got != want {
					t.Errorf("seed %d, client %d ends at %d, want %d: %v", seed, i, got, want, c.page.seen())
				}
			}
		})
	}
}

// checkPage checks that a page was sent each seq after since in order, or a resync. It returns the last seq.
func checkPage(t *testing.T, seed uint64, p *page, since int64) int64 {
	t.Helper()
	last := since
	for _, frame := range p.seen() {
		var seq int64
		var reason string
		if n, _ := fmt.Sscanf(frame, "welcome %d", &seq); n == 1 {
			continue
		}
		if n, _ := fmt.Sscanf(frame, "resync %s %d", &reason, &seq); n == 2 {
			if seq-last <= 100 {
				t.Errorf("seed %d: %q after %d, though the gap is within the bound", seed, frame, last)
			}
			last = seq
			continue
		}
		if n, _ := fmt.Sscanf(frame, "%d", &seq); n != 1 || seq != last+1 {
			t.Errorf("seed %d: %q after %d", seed, frame, last)
		}
		last = seq
	}
	return last
}
