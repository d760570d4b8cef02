package hub_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskwire/taskwire/pkg/events/live"
	"github.com/taskwire/taskwire/services/websocket/internal/hub"
)

// This file tests that each member is welcomed or closed in time, whatever is down.

// outages are the ways in which a source is away.
var outages = map[string]func(s source) (end func()){
	"fails": func(s source) func() {
		s.Fail(errors.New("connection refused"))
		return func() { s.Fail(nil) }
	},
	"hangs": func(s source) func() {
		gate := s.Gate()
		return func() { close(gate) }
	},
}

func TestConnectionsStayWhileTheTaskAPIIsDown(t *testing.T) {
	t.Parallel()
	for name, begin := range outages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, limits(), func(t *testing.T, r *rig) {
				r.tasks.AddN("u", 3)
				open, _ := r.join(3, 0)
				synctest.Wait()
				end := begin(r.tasks)
				from1, _ := r.join(1, 0)
				lost := r.tasks.AddN("u", 2)
				r.update(lost[1])
				time.Sleep(welcomeWait)
				wants(t, "since 1, while it is down", from1, "welcome 1 0")
				r.notify(r.inbox.Add("u"))
				time.Sleep(time.Minute)
				wants(t, "since 1, with a notification", from1, "welcome 1 0", "n1")
				end()
				time.Sleep(5 * time.Second)
				wants(t, "since 1", from1, "welcome 1 0", "n1", "2", "3", "4", "5")
				wants(t, "open before", open, "welcome 3 0", "n1", "4", "5")
			})
		})
	}
}

func TestWithoutAHeadAMemberIsClosedInTime(t *testing.T) {
	t.Parallel()
	for name, begin := range outages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, limits(), func(t *testing.T, r *rig) {
				defer begin(r.tasks)()
				p, _ := r.join(-1, 0)
				time.Sleep(welcomeWait)
				wantClosed(t, "while the task API is away", p, live.Unavailable)
				wants(t, "frames", p)
			})
		})
	}
}

// The changes of tasks do not depend on the notification service. What it did not answer in time is said later.
func TestAMemberIsWelcomedWithoutTheNotifications(t *testing.T) {
	t.Parallel()
	for name, begin := range outages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, limits(), func(t *testing.T, r *rig) {
				r.tasks.AddN("u", 2)
				r.inbox.AddN("u", 5)
				end := begin(r.inbox)
				atHead, _ := r.join(-1, -1)
				from3, _ := r.join(1, 3)
				time.Sleep(welcomeWait)
				r.update(r.tasks.Add("u"))
				wants(t, "without a place, while it is away", atHead, "welcome 2 -", "3")
				wants(t, "from 3, while it is away", from3, "welcome 1 3", "2", "3")
				if got := from3.unreadCount(); got != "unknown" {
					t.Errorf("unread in the welcome frame: got %s, want unknown", got)
				}
				end()
				time.Sleep(5 * time.Second)
				r.notify(r.inbox.Add("u"))
				wants(t, "without a place", atHead, "welcome 2 -", "3", "resync notifications not_available 5", "n6")
				wants(t, "from 3", from3, "welcome 1 3", "2", "3", "n4", "n5", "n6")
			})
		})
	}
}

// A source that answers just before the end of the wait is in time, and one just after it is not.
func TestTheWaitForTheSourcesHasAnEnd(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		after time.Duration
		want  string
	}{
		"in time":  {welcomeWait - time.Millisecond, "welcome 2 1"},
		"too late": {welcomeWait + time.Millisecond, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, limits(), func(t *testing.T, r *rig) {
				r.tasks.AddN("u", 2)
				r.inbox.AddN("u", 1)
				gate := r.tasks.Gate()
				p, _ := r.join(-1, -1)
				time.Sleep(c.after)
				close(gate)
				if c.want == "" {
					wantClosed(t, name, p, live.Unavailable)
					return
				}
				wants(t, name, p, c.want)
				time.Sleep(time.Minute)
				if got := p.end(); got != nil {
					t.Errorf("a member that was welcomed in time: closed with %+v", got)
				}
			})
		})
	}
}

func TestALeftMemberIsNotWelcomed(t *testing.T) {
	t.Parallel()
	bubble(t, limits(), func(t *testing.T, r *rig) {
		gate := r.tasks.Gate()
		defer close(gate)
		p, m := r.join(1, 1)
		r.h.Leave(m)
		time.Sleep(time.Minute)
		wants(t, "after it left", p)
		if got := p.end(); got != nil {
			t.Errorf("closed with %+v after it left", got)
		}
	})
}

var _ hub.Sink = (*page)(nil)
