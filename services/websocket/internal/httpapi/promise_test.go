package httpapi_test

import (
	"errors"
	"testing"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/events/live"
)

// This file tests what each auth frame is answered, whatever is down, and how a connection loses its right.

// quick is a wait for the sources that a test can wait for.
const quick = 300 * time.Millisecond

// outage makes a part of the rig fail or hang. The returned function ends it.
var outages = map[string]func(r *rig) (end func()){
	"the keys are missing": func(r *rig) func() {
		r.verifier.mu.Lock()
		defer r.verifier.mu.Unlock()
		r.verifier.unavailable = 1 << 30
		return func() {
			r.verifier.mu.Lock()
			defer r.verifier.mu.Unlock()
			r.verifier.unavailable = 0
		}
	},
	"the keys hang": func(r *rig) func() { return r.verifier.hang() },
	"the task API fails": func(r *rig) func() {
		r.source.Fail(errors.New("connection refused"))
		return func() { r.source.Fail(nil) }
	},
	"the task API hangs": func(r *rig) func() {
		gate := r.source.Gate()
		return func() { close(gate) }
	},
	"everything hangs": func(r *rig) func() {
		tasks, inbox, keys := r.source.Gate(), r.inbox.Gate(), r.verifier.hang()
		return func() {
			close(tasks)
			close(inbox)
			keys()
		}
	},
}

func TestAnAuthFrameIsAnsweredWhateverIsDown(t *testing.T) {
	t.Parallel()
	for name, begin := range outages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := defaults()
			o.settings.WelcomeWait = quick
			r := newRig(t, o)
			end := begin(r)
			c := r.connect("ann", -1)
			if reason := c.wantClose(live.Unavailable); reason.Retry == nil {
				t.Errorf("close reason: got %+v, want a retry", reason)
			}
			end()
			eventually(t, "a client is welcomed again", func() error {
				again := r.connect("ann", -1)
				defer again.conn.Close()
				f, err := again.next()
				if _, ok := f.(live.Welcome); !ok && err == nil {
					return errors.New("the first frame is not welcome")
				}
				return err
			})
		})
	}
}

func TestAClientWithPlacesIsWelcomedDuringAnOutage(t *testing.T) {
	t.Parallel()
	o := defaults()
	o.settings.WelcomeWait = quick
	r := newRig(t, o)
	r.source.AddN("ann", 3)
	r.inbox.AddN("ann", 2)
	tasks, inbox := r.source.Gate(), r.inbox.Gate()
	c := r.dial()
	c.authFrom(1, 1)
	if w := want[live.Welcome](c); w.Seq != 1 || w.NotificationSeq == nil || *w.NotificationSeq != 1 || w.Unread != nil {
		t.Errorf("welcome: got %+v, want the client's places and no unread", w)
	}
	close(tasks)
	c.wantSeqs(2, 3)
	close(inbox)
	if n := want[live.Notification](c); n.NotificationSeq != 2 {
		t.Errorf("notification: got %+v, want the second", n)
	}
}

// A later token is answered in the same time, and the connection stays: the token before it is still valid.
func TestALaterAuthFrameIsAnsweredWhileTheKeysHang(t *testing.T) {
	t.Parallel()
	o := defaults()
	o.settings.WelcomeWait = quick
	r := newRig(t, o)
	c := r.connect("ann", 0)
	want[live.Welcome](c)
	end := r.verifier.hang()
	c.auth(token("ann", time.Hour), 0)
	if e := want[live.Error](c); e.Code != live.Unavailable.String() || e.Retry == nil {
		t.Errorf("error: got %+v, want unavailable with a retry", e)
	}
	end()
	c.send(live.Ping{})
	want[live.Pong](c)
}

func TestTheSocketsOfAnEndedAccountAreClosed(t *testing.T) {
	t.Parallel()
	o := defaults()
	o.limits.Gone, o.limits.GoneMin = quick, quick
	r := newRig(t, o)
	r.source.AddN("ann", 2)
	r.source.AddN("bob", 2)
	open, other := r.connect("ann", 2), r.connect("bob", 2)
	want[live.Welcome](open)
	want[live.Welcome](other)
	r.source.DeleteAccount("ann")
	deleted := r.source.Add("ann")
	deleted.EventType = events.Deleted
	if err := r.hub.Update(deleted); err != nil {
		t.Fatal(err)
	}
	if e := want[live.Event](open); e.Seq != 3 || e.Task != nil {
		t.Errorf("got %+v, want the deletion", e)
	}
	for _, since := range []int64{-1, 0, 3, 99} {
		if reason := r.connect("ann", since).wantClose(live.AccountGone); reason.Retry != nil {
			t.Errorf("since %d: close reason: got %+v, want no retry", since, reason)
		}
	}
	open.wantClose(live.AccountGone)
	other.send(live.Ping{})
	want[live.Pong](other)
}
