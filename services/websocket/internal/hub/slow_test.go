package hub_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskwire/taskwire/pkg/events/live"
	"github.com/taskwire/taskwire/services/websocket/internal/hub"
)

func TestOnlyTheSlowMemberIsClosed(t *testing.T) {
	t.Parallel()
	eachStream(t, limits(), func(t *testing.T, s *side) {
		slow, quick := &page{bound: 4}, &page{}
		s.joinAs(0, slow)
		s.joinAs(0, quick)
		synctest.Wait()
		for range 6 {
			deliver(s.add())
		}
		s.wantsSeqs("the quick one", quick, 0, 6)
		s.wantsSeqs("the slow one", slow, 0, 4)
		wantClosed(t, "the slow one", slow, live.Slow)
	})
}

func TestCatchingUpWaitsForASlowMember(t *testing.T) {
	t.Parallel()
	eachStream(t, limits(), func(t *testing.T, s *side) {
		s.addN(90)
		p := &page{bound: 8}
		s.joinAs(0, p)
		for range 100 { // it takes a little at a time, while live events come
			synctest.Wait()
			if rand.N(4) == 0 {
				deliver(s.add())
			}
			p.take()
			synctest.Wait()
		}
		if got := p.end(); got != nil {
			t.Fatalf("closed with %v while it was catching up", got)
		}
		p.take()
		time.Sleep(3 * time.Second)
		s.wantsSeqs("all of it", p, 0, s.Len("u"))
	})
}

// Two replays share one queue: neither makes the member slow.
func TestTwoReplaysShareTheQueue(t *testing.T) {
	t.Parallel()
	bubble(t, limits(), func(t *testing.T, r *rig) {
		r.tasks.AddN("u", 60)
		r.inbox.AddN("u", 60)
		p := &page{bound: 8}
		r.joinAs(0, 0, p)
		for range 100 {
			synctest.Wait()
			p.take()
		}
		time.Sleep(3 * time.Second)
		if got := p.end(); got != nil {
			t.Fatalf("closed with %v while it was catching up", got)
		}
		if got, want := checkPage(t, 0, p, places{}), (places{60, 60}); got != want {
			t.Errorf("got up to %v, want %v: %v", got, want, p.seen())
		}
	})
}

func TestAUserHasABoundedNumberOfMembers(t *testing.T) {
	t.Parallel()
	l := limits()
	l.PerUser = 2
	bubble(t, l, func(t *testing.T, r *rig) {
		_, first := r.join(0, 0)
		r.join(0, 0)
		zero := int64(0)
		if _, err := r.h.Join("u", hub.Start{Since: &zero, Wait: welcomeWait}, &page{}); !errors.Is(err, hub.ErrTooMany) {
			t.Errorf("third Join: got %v, want ErrTooMany", err)
		}
		r.h.Leave(first)
		r.h.Leave(first) // twice does nothing
		r.join(0, 0)
	})
}

func TestAReturningUserMissesNothing(t *testing.T) {
	t.Parallel()
	eachStream(t, limits(), func(t *testing.T, s *side) {
		_, m := s.join(0)
		deliver(s.add())
		s.h.Leave(m)
		deliver(s.addN(2)...) // the user is not connected
		p, _ := s.join(1)
		s.wantsSeqs("back", p, 1, 3)
	})
}

func TestManyUsersAreSweptInParts(t *testing.T) {
	t.Parallel()
	bubble(t, limits(), func(t *testing.T, r *rig) {
		const users = 2*hub.MaxHeads + 7
		pages := make([]*page, users)
		zero := int64(0)
		for i := range pages {
			pages[i] = &page{}
			if _, err := r.h.Join(fmt.Sprint("user ", i), hub.Start{Since: &zero, NotificationsSince: &zero, Wait: welcomeWait}, pages[i]); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		for i := range pages {
			r.tasks.Add(fmt.Sprint("user ", i))
		}
		time.Sleep(3 * time.Second)
		for i := range pages {
			r.inbox.Add(fmt.Sprint("user ", i))
		}
		time.Sleep(3 * time.Second)
		for i, p := range pages {
			wants(t, fmt.Sprint("user ", i), p, "welcome 0 0", "1", "n1")
		}
	})
}

const (
	randomRuns      = 60 // about 10 s with -race
	randomRunsShort = 10 // with -short
)

// TestEverySeqOnceUnderRandomDeliveries checks the hub's promise for both streams at once: some deliveries arrive twice, some
// never and most out of order, the sources fail now and then, and members join, leave, are slow and return.
func TestEverySeqOnceUnderRandomDeliveries(t *testing.T) {
	t.Parallel()
	runs := uint64(randomRuns)
	if testing.Short() {
		runs = randomRunsShort
	}
	for seed := range runs {
		bubble(t, limits(), func(t *testing.T, r *rig) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			type client struct {
				page   *page
				member *hub.Member
				since  places
			}
			connect := func(since places) *client {
				p := &page{bound: 4 + rnd.IntN(30)}
				return &client{page: p, member: r.joinAs(since.tasks, since.inbox, p), since: since}
			}
			clients := make([]*client, 1+rnd.IntN(4))
			for i := range clients {
				clients[i] = connect(places{})
			}
			var held []delivery // delivered later
			add := func() delivery {
				if rnd.IntN(2) == 0 {
					ev := r.inbox.Add("u")
					return func() { r.notify(ev) }
				}
				ev := r.tasks.Add("u")
				return func() { r.update(ev) }
			}
			for range 400 {
				switch n := rnd.IntN(20); {
				case n < 10:
					held = append(held, add())
				case n == 10:
					r.tasks.Fail(errors.New("down"))
				case n == 11:
					r.inbox.Fail(errors.New("down"))
				case n == 12:
					r.tasks.Fail(nil)
					r.inbox.Fail(nil)
				case n == 13:
					time.Sleep(time.Duration(rnd.IntN(400)) * time.Millisecond)
				case n == 14: // a client leaves and returns with the last numbers it saw
					i := rnd.IntN(len(clients))
					r.h.Leave(clients[i].member)
					clients[i] = connect(checkPage(t, seed, clients[i].page, clients[i].since))
				default:
					clients[rnd.IntN(len(clients))].page.take()
				}
				for len(held) > 0 && rnd.IntN(2) == 0 {
					i := rnd.IntN(len(held))
					d := held[i]
					held = append(held[:i], held[i+1:]...)
					switch rnd.IntN(4) {
					case 0: // lost
					case 1:
						deliver(d, d)
					default:
						deliver(d)
					}
				}
				if rnd.IntN(3) == 0 {
					synctest.Wait()
				}
			}
			r.tasks.Fail(nil)
			r.inbox.Fail(nil)
			for i := range clients { // a closed client returns; then all take what there is
				for range 400 {
					c := clients[i]
					if c.page.end() != nil {
						clients[i] = connect(checkPage(t, seed, c.page, c.since))
					}
					time.Sleep(100 * time.Millisecond)
					clients[i].page.take()
					synctest.Wait()
				}
			}
			want := places{int64(r.tasks.Len("u")), int64(r.inbox.Len("u"))}
			for i, c := range clients {
				if got := checkPage(t, seed, c.page, c.since); got != want {
					t.Errorf("seed %d, client %d ends at %v, want %v: %v", seed, i, got, want, c.page.seen())
				}
			}
		})
	}
}

// places are the last numbers of both streams that a client has seen.
type places struct{ tasks, inbox int64 }

// checkPage checks that a page was sent each number after since in order, or a resync. It returns the last numbers.
func checkPage(t *testing.T, seed uint64, p *page, since places) places {
	t.Helper()
	last := since
	for _, frame := range p.seen() {
		var seq int64
		var stream live.Stream
		var reason live.Reason
		place := &last.tasks
		switch {
		case scan(frame, "welcome %d", &seq):
		case scan(frame, "resync %s %s %d", &stream, &reason, &seq):
			if stream == live.StreamNotifications {
				place = &last.inbox
			}
			if reason == live.ReasonGap && seq-*place <= 100 {
				t.Errorf("seed %d: %q after %d, though the gap is within the bound", seed, frame, *place)
			}
			*place = seq
		case scan(frame, "n%d", &seq):
			place = &last.inbox
			fallthrough
		default:
			if seq == 0 && !scan(frame, "%d", &seq) || seq != *place+1 {
				t.Errorf("seed %d: %q after %d", seed, frame, *place)
			}
			*place = seq
		}
	}
	return last
}

// scan reports whether all variables of the format were found.
func scan(s, format string, variables ...any) bool {
	n, err := fmt.Sscanf(s, format, variables...)
	return n == len(variables) && err == nil
}
