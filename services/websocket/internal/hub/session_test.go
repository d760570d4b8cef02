package hub_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskwire/taskwire/pkg/events/live"
	"github.com/taskwire/taskwire/services/websocket/internal/hub"
)

// joinSession adds a member of a session that has seen everything up to since.
func (r *rig) joinSession(session string, since int64) (*page, *hub.Member) {
	r.t.Helper()
	p, zero := &page{}, int64(0)
	m, err := r.h.Join("u", hub.Start{Since: &since, NotificationsSince: &zero, Session: session, Wait: welcomeWait}, p)
	if err != nil {
		r.t.Fatalf("Join of session %q: %v", session, err)
	}
	return p, m
}

func TestOnlyConnectionsOfTheEndedSessionEnd(t *testing.T) {
	t.Parallel()
	bubble(t, limits(), func(t *testing.T, r *rig) {
		r.tasks.AddN("u", 3)
		a, _ := r.joinSession("a", 3)
		again, _ := r.joinSession("a", 3)
		b, _ := r.joinSession("b", 3)
		none, _ := r.joinSession("", 3)
		synctest.Wait()
		r.h.EndSession("u", "a")
		r.h.EndSession("u", "")
		r.h.EndSession("nobody", "b")
		r.update(r.tasks.Add("u"))
		for name, p := range map[string]*page{"the first of the session": a, "the second": again} {
			wantClosed(t, name, p, live.SessionEnded)
			wants(t, name, p, "welcome 3 0")
		}
		for name, p := range map[string]*page{"another session": b, "without a session": none} {
			wants(t, name, p, "welcome 3 0", "4")
			if got := p.end(); got != nil {
				t.Errorf("%s: closed with %+v", name, got)
			}
		}
	})
}

// The end of the session was not delivered, nor was the change after it. The read that finds the change also has the end.
func TestAReadEndsTheSessionBeforeItsEventsAreSent(t *testing.T) {
	t.Parallel()
	bubble(t, limits(), func(t *testing.T, r *rig) {
		r.tasks.AddN("u", 3)
		a, _ := r.joinSession("a", 3)
		b, _ := r.joinSession("b", 3)
		synctest.Wait()
		r.tasks.EndSession("u", "a")
		r.tasks.Add("u")
		time.Sleep(promised)
		wantClosed(t, "the ended session", a, live.SessionEnded)
		wants(t, "the ended session", a, "welcome 3 0")
		wants(t, "another session", b, "welcome 3 0", "4")
	})
}

func TestAConnectionOfAnEndedSessionIsNotWelcomed(t *testing.T) {
	t.Parallel()
	for name, since := range map[string]int64{"between": 1, "at the head": 3, "above the head": 99} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, limits(), func(t *testing.T, r *rig) {
				r.tasks.AddN("u", 3)
				r.tasks.EndSession("u", "a")
				p, _ := r.joinSession("a", since)
				wantClosed(t, name, p, live.SessionEnded)
				wants(t, name, p)
			})
		})
	}
}

func TestARenewedConnectionBelongsToItsNewSession(t *testing.T) {
	t.Parallel()
	bubble(t, limits(), func(t *testing.T, r *rig) {
		p, m := r.joinSession("a", 0)
		synctest.Wait()
		r.h.Renew(m, "b")
		r.h.EndSession("u", "a")
		if got := p.end(); got != nil {
			t.Errorf("closed with %+v when its earlier session ended", got)
		}
		r.h.EndSession("u", "b")
		wantClosed(t, "its new session", p, live.SessionEnded)
	})
}
