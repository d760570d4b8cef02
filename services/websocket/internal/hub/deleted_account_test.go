package hub_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskwire/taskwire/pkg/events/live"
	"github.com/taskwire/taskwire/services/websocket/internal/hub"
	"github.com/taskwire/taskwire/services/websocket/internal/hubtest"
)

// wantAccountGone checks that the page was closed with account_gone, and that the hub asks for the user no more.
func wantAccountGone(t *testing.T, p *page, s *hubtest.Source) {
	t.Helper()
	synctest.Wait()
	p.mu.Lock()
	closed := p.closed
	p.mu.Unlock()
	if closed == nil || closed.Code != live.AccountGone || closed.Retry >= 0 {
		t.Fatalf("closed: got %+v, want account_gone without a retry", closed)
	}
	before, _ := s.Calls()
	time.Sleep(time.Minute) // virtual time
	if after, _ := s.Calls(); after != before {
		t.Errorf("the changes of a deleted account were read %d times more", after-before)
	}
}

func TestAReturningClientOfADeletedAccountIsClosed(t *testing.T) {
	t.Parallel()
	bubble(t, limits(), func(t *testing.T, h *hub.Hub, s *hubtest.Source) {
		s.AddN("u", 3)
		s.DeleteAccount("u")
		p, _ := join(t, h, 1)
		wantAccountGone(t, p, s)
	})
}

// A member that has received every deletion stays; the first read after a lost one closes it.
func TestADeletedAccountClosesMembersThatMissAnEvent(t *testing.T) {
	t.Parallel()
	bubble(t, limits(), func(t *testing.T, h *hub.Hub, s *hubtest.Source) {
		s.AddN("u", 3)
		p, _ := join(t, h, 3)
		synctest.Wait()
		s.DeleteAccount("u")
		deleted := s.AddN("u", 3)
		if err := h.Update(deleted[0]); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute) // some sweeps, which get no head
		if got, want := p.seen(), []string{"welcome 3", "4"}; !slices.Equal(got, want) || p.closed != nil {
			t.Fatalf("got %v, closed %+v, want %v and an open connection", got, p.closed, want)
		}
		if err := h.Update(deleted[2]); err != nil { // the one before it is lost
			t.Fatal(err)
		}
		wantAccountGone(t, p, s)
	})
}
