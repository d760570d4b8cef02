package hub_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/services/websocket/internal/hub"
	"github.com/taskwire/taskwire/services/websocket/internal/hubtest"
)

// limits returns the limits of the service, with small bounds.
func limits() hub.Limits {
	l := hub.DefaultLimits()
	l.Page, l.Replay, l.Window = 10, 100, 16
	return l
}

// bubble runs a test with a hub in a synctest bubble: time is virtual, and synctest.Wait waits until reads have ended.
func bubble(t *testing.T, l hub.Limits, test func(t *testing.T, h *hub.Hub, s *hubtest.Source)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := hubtest.New()
		h := hub.New(hub.Config{Source: s, Log: slog.New(slog.DiscardHandler), Metrics: hub.NewMetrics(prometheus.NewRegistry()), Limits: l})
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- h.Run(ctx) }()
		test(t, h, s)
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		h.Close()
	})
}

func join(t *testing.T, h *hub.Hub, since int64) (*page, *hub.Member) {
	t.Helper()
	p := &page{}
	return p, joinAs(t, h, since, p)
}

func joinAs(t *testing.T, h *hub.Hub, since int64, p *page) *hub.Member {
	t.Helper()
	at := &since
	if since < 0 {
		at = nil
	}
	m, err := h.Join("u", at, p)
	if err != nil {
		t.Fatalf("Join(%d): %v", since, err)
	}
	return m
}

func update(t *testing.T, h *hub.Hub, evs ...events.TaskUpdateEvent) {
	t.Helper()
	for _, ev := range evs {
		if err := h.Update(ev); err != nil {
			t.Fatalf("Update(%d): %v", ev.Seq, err)
		}
	}
}

func wants(t *testing.T, what string, p *page, want ...string) {
	t.Helper()
	synctest.Wait()
	if got := p.seen(); !slices.Equal(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// seqs returns "from", …, "to".
func seqs(from, to int) []string {
	var out []string
	for i := from; i <= to; i++ {
		out = append(out, fmt.Sprint(i))
	}
	return out
}

func TestAJoinWithSinceCatchesUpAndGoesLive(t *testing.T) {
	t.Parallel()
	bubble(t, limits(), func(t *testing.T, h *hub.Hub, s *hubtest.Source) {
		s.AddN("u", 35) // more than three pages
		p, _ := join(t, h, 2)
		wants(t, "replay", p, append([]string{"welcome 2"}, seqs(3, 35)...)...)
		update(t, h, s.Add("u"), s.Add("u"))
		wants(t, "live", p, append([]string{"welcome 2"}, seqs(3, 37)...)...)
		if changes, _ := s.Calls(); changes != 4 {
			t.Errorf("reads: got %d, want 4", changes)
		}
	})
}

func TestAJoinWithoutSinceStartsAtTheHead(t *testing.T) {
	t.Parallel()
	bubble(t, limits(), func(t *testing.T, h *hub.Hub, s *hubtest.Source) {
		s.AddN("u", 3)
		gate := s.Gate()
		p, _ := join(t, h, -1)
		wants(t, "before the head is known", p)
		live := s.AddN("u", 2)
		update(t, h, live[1]) // during the read; the other one is lost
		if err := h.Notify(events.NotificationEvent{NotificationID: "n", UserID: "u"}); err != nil {
			t.Fatal(err)
		}
		close(gate)
		wants(t, "after", p, "welcome 5", "note n")
		update(t, h, s.Add("u"))
		wants(t, "live", p, "welcome 5", "note n", "6")
	})
}

func TestEventsBeforeTheHeadIsKnownAreSent(t *testing.T) {
	t.Parallel()
	bubble(t, limits(), func(t *testing.T, h *hub.Hub, s *hubtest.Source) {
		s.AddN("u", 3)
		s.Claim("u", 3) // the head at the time of the read
		gate := s.Gate()
		p, _ := join(t, h, -1)
		synctest.Wait() // the read of the head has begun
		update(t, h, s.AddN("u", 2)...)
		close(gate)
		wants(t, "start", p, "welcome 3", "4", "5")
	})
}

func TestDuplicatesAndDisorderChangeNothing(t *testing.T) {
	t.Parallel()
	bubble(t, limits(), func(t *testing.T, h *hub.Hub, s *hubtest.Source) {
		p, _ := join(t, h, 0)
		wants(t, "start", p, "welcome 0")
		gate := s.Gate() // nothing can be read
		evs := s.AddN("u", 6)
		update(t, h, evs[0], evs[0], evs[3], evs[2], evs[0], evs[2], evs[1], evs[5], evs[1], evs[4], evs[5])
		wants(t, "live", p, append([]string{"welcome 0"}, seqs(1, 6)...)...)
		close(gate)
		wants(t, "after the read", p, append([]string{"welcome 0"}, seqs(1, 6)...)...)
	})
}

func TestAGapIsReadOnceForAllMembers(t *testing.T) {
	t.Parallel()
	bubble(t, limits(), func(t *testing.T, h *hub.Hub, s *hubtest.Source) {
		var pages []*page
		for range 5 {
			p, _ := join(t, h, 0)
			pages = append(pages, p)
		}
		synctest.Wait()
		before, _ := s.Calls()
		evs := s.AddN("u", 4)
		update(t, h, evs[0], evs[3]) // 2 and 3 are lost
		for i, p := range pages {
			wants(t, fmt.Sprint("member ", i), p, append([]string{"welcome 0"}, seqs(1, 4)...)...)
		}
		if after, _ := s.Calls(); after != before+1 {
			t.Errorf("reads for the gap: got %d, want 1", after-before)
		}
	})
}

func TestASweepFindsLostDeliveries(t *testing.T) {
	t.Parallel()
	bubble(t, limits(), func(t *testing.T, h *hub.Hub, s *hubtest.Source) {
		p, _ := join(t, h, 0)
		synctest.Wait()
		s.AddN("u", 3) // no delivery at all
		time.Sleep(2 * time.Second)
		wants(t, "after a sweep", p, append([]string{"welcome 0"}, seqs(1, 3)...)...)
	})
}

func TestASweepWaitsForEventsOnTheirWay(t *testing.T) {
	t.Parallel()
	bubble(t, limits(), func(t *testing.T, h *hub.Hub, s *hubtest.Source) {
		p, _ := join(t, h, 0)
		synctest.Wait()
		before, _ := s.Calls()
		ev := s.Add("u")
		time.Sleep(time.Second + 50*time.Millisecond) // the sweep has seen the head, and its grace is not over
		update(t, h, ev)
		time.Sleep(5 * time.Second)
		wants(t, "live", p, "welcome 0", "1")
		if after, _ := s.Calls(); after != before {
			t.Errorf("reads: got %d, want none", after-before)
		}
	})
}

func TestConnectionsStayWhileTheTaskAPIIsDown(t *testing.T) {
	t.Parallel()
	bubble(t, limits(), func(t *testing.T, h *hub.Hub, s *hubtest.Source) {
		s.AddN("u", 3)
		s.Fail(errors.New("connection refused"))
		from1, _ := join(t, h, 1)
		head, _ := join(t, h, -1)
		live := s.AddN("u", 2)
		update(t, h, live[1])
		time.Sleep(time.Minute)
		wants(t, "since 1, while it is down", from1, "welcome 1")
		wants(t, "no since, while it is down", head)
		s.Fail(nil)
		time.Sleep(5 * time.Second)
		wants(t, "since 1", from1, append([]string{"welcome 1"}, seqs(2, 5)...)...)
		wants(t, "no since", head, "welcome 5")
		if from1.closed != nil || head.closed != nil {
			t.Error("a connection was closed because the task API was down")
		}
	})
}

func TestResyncContinuesFromTheHead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		since int64
		setup func(s *hubtest.Source)
		want  []string
	}{
		"a gap above the bound": {0, func(*hubtest.Source) {}, []string{"welcome 0", "resync gap_too_large 150", "151"}},
		"a gap at the bound":    {50, func(*hubtest.Source) {}, append([]string{"welcome 50"}, seqs(51, 151)...)},
		"pruned":                {60, func(s *hubtest.Source) { s.Prune("u", 70) }, []string{"welcome 60", "resync events_pruned 150", "151"}},
		"above the head":        {151, func(*hubtest.Source) {}, []string{"welcome 151", "resync since_too_high 150", "151"}},
		"at the head":           {150, func(*hubtest.Source) {}, []string{"welcome 150", "151"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, limits(), func(t *testing.T, h *hub.Hub, s *hubtest.Source) {
				s.AddN("u", 150)
				c.setup(s)
				p, _ := join(t, h, c.since)
				synctest.Wait()
				update(t, h, s.Add("u"))
				wants(t, name, p, c.want...)
			})
		})
	}
}

func TestARestoredDatabaseResyncsOpenConnections(t *testing.T) {
	t.Parallel()
	bubble(t, limits(), func(t *testing.T, h *hub.Hub, s *hubtest.Source) {
		s.AddN("u", 9)
		p, _ := join(t, h, 9)
		synctest.Wait()
		s.Rewind("u", 4)
		time.Sleep(2 * time.Second)
		update(t, h, s.Add("u"))
		wants(t, "after a sweep", p, "welcome 9", "resync history_rewound 4", "5")
	})
}

func TestAHoleInTheHistoryEndsInAResync(t *testing.T) {
	t.Parallel()
	bubble(t, limits(), func(t *testing.T, h *hub.Hub, s *hubtest.Source) {
		s.AddN("u", 5)
		s.Claim("u", 8) // it claims 8 and returns 5
		p, _ := join(t, h, 3)
		time.Sleep(time.Minute)
		wants(t, "the end", p, "welcome 3", "4", "5", "resync events_missing 8")
	})
}

func TestAForgedSeqDoesNotStopTheRealOnes(t *testing.T) {
	t.Parallel()
	bubble(t, limits(), func(t *testing.T, h *hub.Hub, s *hubtest.Source) {
		s.AddN("u", 2)
		p, _ := join(t, h, 2)
		synctest.Wait()
		update(t, h, events.TaskUpdateEvent{UserID: "u", EventID: "x", Seq: 1 << 40})
		wants(t, "after the forged one", p, "welcome 2")
		update(t, h, s.Add("u"))
		wants(t, "after a real one", p, "welcome 2", "3")
	})
}

func TestUnsequencedEventsAreSentOnce(t *testing.T) {
	t.Parallel()
	bubble(t, limits(), func(t *testing.T, h *hub.Hub, s *hubtest.Source) {
		p, _ := join(t, h, 0)
		original := events.TaskUpdateEvent{EventID: "e", UserID: "u", EventType: events.Updated}
		update(t, h, original, original)
		for _, id := range []string{"n", "n", "m", "n"} {
			if err := h.Notify(events.NotificationEvent{NotificationID: id, UserID: "u"}); err != nil {
				t.Fatal(err)
			}
		}
		if err := h.Notify(events.NotificationEvent{NotificationID: "of another", UserID: "v"}); err != nil {
			t.Fatal(err)
		}
		wants(t, "frames", p, "welcome 0", "event e", "note n", "note m")
	})
}
