package hub_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskwire/taskwire/pkg/events/live"
	"github.com/taskwire/taskwire/services/websocket/internal/hub"
)

// promised is within which time the protocol promises the end of a connection whose account has ended.
const promised = 5 * time.Second

// deleteAccount ends the account of u as the task API does: the account is gone at once, and the deletions of its tasks follow.
func (r *rig) deleteAccount() (deletions []delivery) {
	r.tasks.DeleteAccount("u")
	for _, ev := range r.tasks.AddN("u", 3) {
		deletions = append(deletions, func() { r.update(ev) })
	}
	return deletions
}

func TestAnOpenConnectionSeesTheDeletionsAndEnds(t *testing.T) {
	t.Parallel()
	bubble(t, limits(), func(t *testing.T, r *rig) {
		r.tasks.AddN("u", 3)
		a, _ := r.join(3, 0)
		b, _ := r.join(-1, -1)
		synctest.Wait()
		deletions := r.deleteAccount()
		time.Sleep(1500 * time.Millisecond) // a sweep has found that the account is gone
		deliver(deletions...)
		wants(t, "the deletions", a, "welcome 3 0", "4", "5", "6")
		time.Sleep(promised - 1500*time.Millisecond)
		for name, p := range map[string]*page{"with since": a, "without": b} {
			wantClosed(t, name, p, live.AccountGone)
			wants(t, name, p, "welcome 3 0", "4", "5", "6")
		}
	})
}

func TestANewConnectionOfAnEndedAccountEnds(t *testing.T) {
	t.Parallel()
	for name, since := range map[string]int64{"without since": -1, "since 0": 0, "between": 2, "at the head": 3, "above the head": 99} {
		for open, others := range map[string]int{"alone": 0, "with another one open": 1} {
			for delay, wait := range map[string]time.Duration{"at once": 0, "after a second": time.Second} {
				t.Run(name+", "+open+", "+delay, func(t *testing.T) {
					t.Parallel()
					bubble(t, limits(), func(t *testing.T, r *rig) {
						r.tasks.AddN("u", 3)
						for range others {
							r.join(3, 0)
						}
						synctest.Wait()
						r.deleteAccount()
						time.Sleep(wait)
						p, _ := r.join(since, -1)
						time.Sleep(promised)
						wantClosed(t, name, p, live.AccountGone)
					})
				})
			}
		}
	}
}

// The account is gone although the other service, or soon the task API itself, does not answer.
func TestAnEndedAccountIsClosedWhateverElseIsDown(t *testing.T) {
	t.Parallel()
	bubble(t, limits(), func(t *testing.T, r *rig) {
		r.tasks.AddN("u", 3)
		a, _ := r.join(3, 0)
		synctest.Wait()
		gate := r.inbox.Gate()
		defer close(gate)
		r.tasks.DeleteAccount("u")
		b, _ := r.join(3, 0)
		time.Sleep(1500 * time.Millisecond) // a sweep
		r.tasks.Fail(errors.New("connection refused"))
		time.Sleep(promised - 1500*time.Millisecond)
		wantClosed(t, "the open one", a, live.AccountGone)
		wantClosed(t, "the new one", b, live.AccountGone)
	})
}

// The first read after a lost deletion ends the connection at once: the lost event can never be read.
func TestAMemberThatMissesADeletionIsClosedAtOnce(t *testing.T) {
	t.Parallel()
	bubble(t, limits(), func(t *testing.T, r *rig) {
		r.tasks.AddN("u", 3)
		p, _ := r.join(3, 0)
		synctest.Wait()
		deletions := r.deleteAccount()
		deliver(deletions[0], deletions[2])
		wantClosed(t, "with a gap", p, live.AccountGone)
		wants(t, "frames", p, "welcome 3 0", "4")
	})
}

func TestNothingIsAskedForAnEndedAccount(t *testing.T) {
	t.Parallel()
	bubble(t, limits(), func(t *testing.T, r *rig) {
		r.tasks.AddN("u", 3)
		r.join(3, 0)
		synctest.Wait()
		r.tasks.DeleteAccount("u")
		time.Sleep(promised)
		before, _ := r.tasks.Calls()
		time.Sleep(time.Minute)
		if after, _ := r.tasks.Calls(); after != before {
			t.Errorf("the changes of a deleted account were read %d times more", after-before)
		}
	})
}

// An account of an issuer's user can be made again with the same id.
func TestAnAccountThatIsBackKeepsItsConnections(t *testing.T) {
	t.Parallel()
	bubble(t, limits(), func(t *testing.T, r *rig) {
		r.tasks.AddN("u", 3)
		p, _ := r.join(3, 0)
		synctest.Wait()
		r.tasks.DeleteAccount("u")
		time.Sleep(1500 * time.Millisecond) // a sweep
		r.tasks.RestoreAccount("u")
		time.Sleep(time.Minute)
		r.update(r.tasks.Add("u"))
		wants(t, "frames", p, "welcome 3 0", "4")
		if got := p.end(); got != nil {
			t.Errorf("closed with %+v", got)
		}
	})
}

// An outage of the task API is no reason to end a connection: the browser would remove what it stores.
func TestAnOutageIsNotTheEndOfAnAccount(t *testing.T) {
	t.Parallel()
	bubble(t, limits(), func(t *testing.T, r *rig) {
		p, _ := r.join(0, 0)
		synctest.Wait()
		r.tasks.Fail(errors.New("no such host"))
		time.Sleep(time.Minute)
		if got := p.end(); got != nil {
			t.Errorf("closed with %+v", got)
		}
	})
}

// A user without changes and without notifications has the head 0 in both streams.
func TestANewUserIsWelcomed(t *testing.T) {
	t.Parallel()
	bubble(t, limits(), func(t *testing.T, r *rig) {
		p, _ := r.join(-1, -1)
		time.Sleep(time.Minute)
		wants(t, "frames", p, "welcome 0 0")
		if got := p.end(); got != nil {
			t.Errorf("closed with %+v", got)
		}
	})
}

// The limits keep the promise: from the last answer that had the account, and after two sweeps that did not find its end yet.
func TestTheLimitsKeepThePromise(t *testing.T) {
	t.Parallel()
	l := hub.DefaultLimits()
	if longest := max(l.Gone, 2*l.Sweep+l.GoneMin); longest >= promised {
		t.Errorf("a connection ends up to %s after its account, want below %s", longest, promised)
	}
}

// The deletions have nearly all of the promised time, although the sweep finds the end of the account much earlier.
func TestTheDeletionsHaveMostOfThePromisedTime(t *testing.T) {
	t.Parallel()
	bubble(t, limits(), func(t *testing.T, r *rig) {
		r.tasks.AddN("u", 3)
		p, _ := r.join(3, 0)
		time.Sleep(10 * time.Second) // sweeps have seen the account
		deletions := r.deleteAccount()
		time.Sleep(3 * time.Second)
		deliver(deletions...)
		time.Sleep(promised - 3*time.Second)
		wantClosed(t, "late deletions", p, live.AccountGone)
		wants(t, "late deletions", p, "welcome 3 0", "4", "5", "6")
	})
}
