package hub_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskwire/taskwire/services/websocket/internal/hub"
	"github.com/taskwire/taskwire/services/websocket/internal/hubtest"
	"github.com/taskwire/taskwire/services/websocket/internal/wire"
)

// wantGone wants the page to be closed because its account is gone, and nobody to ask for it any more.
func wantGone(t *testing.T, p *page, s *hubtest.Source) {
	t.Helper()
	synctest.Wait()
	p.mu.Lock()
	closed := p.closed
	p.mu.Unlock()
	if closed == nil || closed.Code != wire.AccountGone || closed.Retry >= 0 {
		t.Fatalf("closed: got %+v, want account_gone without a retry", closed)
	}
	before, _ := s.Calls()
	time.Sleep(time.Minute) // of the bubble
	if after, _ := s.Calls(); after != before {
		t.Errorf("the changes of an account that is gone were asked for %d times more", after-before)
	}
}

func TestAClientThatComesBackAfterItsAccountIsToldSo(t *testing.T) {
	bubble(t, limits(), func(t *testing.T, h *hub.Hub, s *hubtest.Source) {
		s.AddN("u", 3)
		s.End("u")
		p, _ := join(t, h, 1)
		wantGone(t, p, s)
	})
}

func TestAClientThatMissedSomethingOfTheEndIsToldSoAndOneThatDidNotSeesItsTasksGo(t *testing.T) {
	bubble(t, limits(), func(t *testing.T, h *hub.Hub, s *hubtest.Source) {
		s.AddN("u", 3)
		p, _ := join(t, h, 3)
		synctest.Wait()
		s.End("u")
		deleted := s.AddN("u", 3)
		if err := h.Update(deleted[0]); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute) // some sweeps, which find no head
		if got, want := p.seen(), []string{"welcome 3", "4"}; !slices.Equal(got, want) || p.closed != nil {
			t.Fatalf("got %v, closed %+v, want %v and an open connection", got, p.closed, want)
		}
		if err := h.Update(deleted[2]); err != nil { // the one before it is lost
			t.Fatal(err)
		}
		wantGone(t, p, s)
	})
}
