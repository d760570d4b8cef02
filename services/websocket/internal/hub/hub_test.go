package hub_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/events/live"
)

func TestAJoinWithAPlaceCatchesUpAndGoesLive(t *testing.T) {
	t.Parallel()
	eachStream(t, limits(), func(t *testing.T, s *side) {
		s.addN(35) // more than three pages
		p, _ := s.join(2)
		s.wantsSeqs("replay", p, 2, 35)
		deliver(s.addN(2)...)
		s.wantsSeqs("live", p, 2, 37)
		if reads, _ := s.Calls(); reads != 4 {
			t.Errorf("reads: got %d, want 4", reads)
		}
	})
}

func TestAJoinWithoutAPlaceStartsAtTheHead(t *testing.T) {
	t.Parallel()
	eachStream(t, limits(), func(t *testing.T, s *side) {
		s.addN(3)
		gate := s.Gate()
		p, _ := s.join(-1)
		wants(t, "before the head is known", p)
		live := s.addN(2)
		deliver(live[1]) // during the read; the other one is lost
		close(gate)
		s.wantsSeqs("after", p, 5, 5)
		deliver(s.add())
		s.wantsSeqs("live", p, 5, 6)
	})
}

func TestEventsBeforeTheHeadIsKnownAreSent(t *testing.T) {
	t.Parallel()
	eachStream(t, limits(), func(t *testing.T, s *side) {
		s.addN(3)
		s.Claim("u", 3) // the head at the time of the read
		gate := s.Gate()
		p, _ := s.join(-1)
		synctest.Wait() // the read of the head has begun
		deliver(s.addN(2)...)
		close(gate)
		s.wantsSeqs("start", p, 3, 5)
	})
}

func TestDuplicatesAndDisorderChangeNothing(t *testing.T) {
	t.Parallel()
	eachStream(t, limits(), func(t *testing.T, s *side) {
		p, _ := s.join(0)
		s.wantsSeqs("start", p, 0, 0)
		gate := s.Gate() // nothing can be read
		evs := s.addN(6)
		deliver(evs[0], evs[0], evs[3], evs[2], evs[0], evs[2], evs[1], evs[5], evs[1], evs[4], evs[5])
		s.wantsSeqs("live", p, 0, 6)
		close(gate)
		s.wantsSeqs("after the read", p, 0, 6)
	})
}

func TestAGapIsReadOnceForAllMembers(t *testing.T) {
	t.Parallel()
	eachStream(t, limits(), func(t *testing.T, s *side) {
		var pages []*page
		for range 5 {
			p, _ := s.join(0)
			pages = append(pages, p)
		}
		synctest.Wait()
		before, _ := s.Calls()
		evs := s.addN(4)
		deliver(evs[0], evs[3]) // 2 and 3 are lost
		for i, p := range pages {
			s.wantsSeqs(fmt.Sprint("member ", i), p, 0, 4)
		}
		if after, _ := s.Calls(); after != before+1 {
			t.Errorf("reads for the gap: got %d, want 1", after-before)
		}
	})
}

// No later event shows the loss: this is what a new consumer group does, which begins with the newest record.
func TestASweepFindsLostDeliveries(t *testing.T) {
	t.Parallel()
	eachStream(t, limits(), func(t *testing.T, s *side) {
		p, _ := s.join(0)
		synctest.Wait()
		s.addN(3) // no delivery at all
		time.Sleep(2 * time.Second)
		s.wantsSeqs("after a sweep", p, 0, 3)
	})
}

func TestASweepWaitsForEventsOnTheirWay(t *testing.T) {
	t.Parallel()
	eachStream(t, limits(), func(t *testing.T, s *side) {
		p, _ := s.join(0)
		synctest.Wait()
		before, _ := s.Calls()
		ev := s.add()
		time.Sleep(time.Second + 50*time.Millisecond) // the sweep has seen the head, and its grace is not over
		deliver(ev)
		time.Sleep(5 * time.Second)
		s.wantsSeqs("live", p, 0, 1)
		if after, _ := s.Calls(); after != before {
			t.Errorf("reads: got %d, want none", after-before)
		}
	})
}

// A stream whose source hangs must not hide a loss in the other one.
func TestTheStreamsAreSweptOnTheirOwn(t *testing.T) {
	t.Parallel()
	eachStream(t, limits(), func(t *testing.T, s *side) {
		p, _ := s.rig.join(0, 0)
		synctest.Wait()
		other := source(s.inbox)
		if s.stream == live.StreamNotifications {
			other = s.tasks
		}
		gate := other.Gate()
		defer close(gate)
		time.Sleep(2 * time.Second) // the other sweep hangs now
		s.addN(3)
		time.Sleep(2 * time.Second)
		s.wantsSeqs("after a sweep", p, 0, 3)
	})
}

func TestResyncContinuesFromTheHead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		since  int64
		setup  func(s *side)
		reason live.Reason // empty: everything is replayed
	}{
		"a gap above the bound": {0, func(*side) {}, live.ReasonGap},
		"a gap at the bound":    {50, func(*side) {}, ""},
		"pruned":                {60, func(s *side) { s.Prune("u", 70) }, live.ReasonPruned},
		"above the head":        {151, func(*side) {}, live.ReasonAhead},
		"at the head":           {150, func(*side) {}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachStream(t, limits(), func(t *testing.T, s *side) {
				s.addN(150)
				c.setup(s)
				p, _ := s.join(c.since)
				synctest.Wait()
				deliver(s.add())
				if c.reason == "" {
					s.wantsSeqs(name, p, int(c.since), 151)
					return
				}
				wants(t, name, p, append([]string{s.welcome(c.since), s.resync(c.reason, 150)}, s.seqs(151, 151)...)...)
			})
		})
	}
}

func TestARestoredDatabaseResyncsOpenConnections(t *testing.T) {
	t.Parallel()
	eachStream(t, limits(), func(t *testing.T, s *side) {
		s.addN(9)
		p, _ := s.join(9)
		synctest.Wait()
		s.Rewind("u", 4)
		time.Sleep(2 * time.Second)
		deliver(s.add())
		wants(t, "after a sweep", p, append([]string{s.welcome(9), s.resync(live.ReasonRewound, 4)}, s.seqs(5, 5)...)...)
	})
}

func TestAHoleInTheHistoryEndsInAResync(t *testing.T) {
	t.Parallel()
	eachStream(t, limits(), func(t *testing.T, s *side) {
		s.addN(5)
		s.Claim("u", 8) // it claims 8 and returns 5
		p, _ := s.join(3)
		time.Sleep(time.Minute)
		wants(t, "the end", p, append(append([]string{s.welcome(3)}, s.seqs(4, 5)...), s.resync(live.ReasonMissing, 8))...)
	})
}

func TestAForgedSeqDoesNotStopTheRealOnes(t *testing.T) {
	t.Parallel()
	eachStream(t, limits(), func(t *testing.T, s *side) {
		s.addN(2)
		p, _ := s.join(2)
		synctest.Wait()
		s.update(events.TaskUpdateEvent{UserID: "u", EventID: "x", Seq: 1 << 40})
		s.notify(events.NotificationEvent{UserID: "u", EventID: "x", NotificationSeq: 1 << 40})
		s.wantsSeqs("after the forged one", p, 2, 2)
		deliver(s.add())
		s.wantsSeqs("after a real one", p, 2, 3)
	})
}

func TestEventsWithoutANumberAreSentOnce(t *testing.T) {
	t.Parallel()
	bubble(t, limits(), func(t *testing.T, r *rig) {
		p, _ := r.join(0, 0)
		original := events.TaskUpdateEvent{EventID: "e", UserID: "u", EventType: events.Updated}
		r.update(original, original)
		for _, id := range []string{"n", "n", "m", "n"} {
			r.notify(events.NotificationEvent{EventID: id, UserID: "u"})
		}
		r.notify(events.NotificationEvent{EventID: "of another", UserID: "v"})
		r.notify(r.inbox.Add("u"))
		wants(t, "frames", p, "welcome 0 0", "event e", "notification n", "notification m", "n1")
	})
}

func TestBothStreamsAreReplayedAndLive(t *testing.T) {
	t.Parallel()
	bubble(t, limits(), func(t *testing.T, r *rig) {
		r.tasks.AddN("u", 4)
		r.inbox.AddN("u", 3)
		both, _ := r.join(2, 1)
		head, _ := r.join(-1, -1)
		synctest.Wait()
		r.update(r.tasks.Add("u"))
		r.notify(r.inbox.Add("u"))
		wants(t, "without a place", head, "welcome 4 3", "5", "n4")
		wantsEither(t, "with both places", both, "welcome 2 1", []string{"3", "4", "5"}, []string{"n2", "n3", "n4"})
		if got := both.unreadCount(); got != "3" {
			t.Errorf("unread in the welcome frame: got %s, want 3", got)
		}
	})
}
