package revocation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"github.com/taskwire/taskwire/pkg/platform/auth"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// promised is within which time the end of a session takes effect.
const promised = 5 * time.Second

// source is a task API in memory, used within one synctest bubble.
type source struct {
	ahead   time.Duration // of its clock
	mu      sync.Mutex
	items   []auth.Revocation
	page    int // the size of its pages
	fail    error
	hang    bool
	endless bool // it claims a next page for ever
	asked   []time.Time
}

func (s *source) Revocations(ctx context.Context, since time.Time, after string, _ int) (Page, error) {
	s.mu.Lock()
	hang := s.hang
	s.mu.Unlock()
	if hang {
		<-ctx.Done()
		return Page{}, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if after == "" {
		s.asked = append(s.asked, since)
	}
	if s.fail != nil {
		return Page{}, s.fail
	}
	begin := 0
	if after != "" {
		begin, _ = strconv.Atoi(after)
	}
	if s.endless {
		return Page{Items: []auth.Revocation{}, Next: fmt.Sprint(begin + 1), More: true}, nil
	}
	var all []auth.Revocation
	for _, e := range s.items {
		if !e.AddedAt.Before(since) {
			all = append(all, e)
		}
	}
	end := min(len(all), begin+s.page)
	return Page{Items: slices.Clone(all[begin:end]), Next: fmt.Sprint(end), More: end < len(all)}, nil
}

// set changes the source while the feed runs.
func (s *source) set(change func(*source)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

// end adds the end of a new session, and returns the session. The source got it at that time, by its clock, and not later than
// now.
func (s *source) end(at time.Time) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, got := uuid.NewString(), at
	if now := time.Now(); got.After(now) {
		got = now
	}
	s.items = append(s.items, auth.Revocation{Kind: auth.RevokedSession, ID: id, UserID: uuid.NewString(), At: at, AddedAt: got.Add(s.ahead)})
	return id
}

// rig is a running feed.
type rig struct {
	t   *testing.T
	src *source
	set *auth.Revocations
	reg *prometheus.Registry
	log *strings.Builder
}

// bubble runs a test with a feed in a synctest bubble. prepare sets the source before the feed starts.
func bubble(t *testing.T, prepare func(*source), test func(r *rig)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, src: &source{page: 10}, set: auth.NewRevocations(time.Now), reg: prometheus.NewRegistry(), log: &strings.Builder{}}
		prepare(r.src)
		f := New(r.set, r.src, slog.New(slog.NewTextHandler(r.log, nil)), r.reg, time.Now)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- f.Run(ctx) }()
		synctest.Wait()
		test(r)
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: got %v, want nil", err)
		}
	})
}

func nothing(*source) {}

// ended reports whether the set refuses the session.
func (r *rig) ended(session string) bool {
	r.t.Helper()
	synctest.Wait()
	_, err := r.set.Admit(auth.Identity{UserID: uuid.NewString(), SessionID: session, IssuedAt: time.Now()})
	if err != nil && !errors.Is(err, auth.ErrEnded) {
		r.t.Errorf("Admit: got %v, want nil or ErrEnded", err)
	}
	return err != nil
}

func (r *rig) wantEnded(what string, want bool, sessions ...string) {
	r.t.Helper()
	for i, session := range sessions {
		if got := r.ended(session); got != want {
			r.t.Errorf("%s: session %d ended: got %v, want %v", what, i, got, want)
		}
	}
}

func TestTheFirstLoadHasEveryPage(t *testing.T) {
	var sessions []string
	bubble(t, func(s *source) {
		for i := range 25 {
			sessions = append(sessions, s.end(time.Now().Add(-time.Duration(i)*time.Second)))
		}
	}, func(r *rig) {
		if err := r.set.Ready(t.Context()); err != nil {
			t.Errorf("Ready: got %v, want nil", err)
		}
		r.wantEnded("at the start", true, sessions...)
		r.wantEnded("another one", false, uuid.NewString())
	})
}

func TestAnEndTakesEffectWithoutItsEvent(t *testing.T) {
	bubble(t, nothing, func(r *rig) {
		for range 3 {
			time.Sleep(time.Minute)
			session := r.src.end(time.Now())
			time.Sleep(promised)
			r.wantEnded("5 s later", true, session)
		}
	})
}

// A load that hangs or fails must not cost the promise.
func TestAnEndTakesEffectAlthoughALoadHangs(t *testing.T) {
	bubble(t, nothing, func(r *rig) {
		time.Sleep(time.Minute - time.Millisecond)
		r.src.set(func(s *source) { s.hang = true })
		time.Sleep(2 * time.Millisecond) // the load of this moment hangs
		session := r.src.end(time.Now())
		r.src.set(func(s *source) { s.hang = false })
		time.Sleep(promised)
		r.wantEnded("5 s later", true, session)
	})
}

// The session ends just after a load has asked. The next load hangs until its time is over, and the one after it must be early.
func TestAnEndTakesEffectAlthoughTheNextLoadHangs(t *testing.T) {
	bubble(t, nothing, func(r *rig) {
		time.Sleep(time.Minute + time.Millisecond) // a load has just asked
		session := r.src.end(time.Now())
		r.src.set(func(s *source) { s.hang = true })
		time.Sleep(PollEvery)
		synctest.Wait() // the next load hangs
		r.src.set(func(s *source) { s.hang = false })
		time.Sleep(promised - PollEvery)
		r.wantEnded("5 s later", true, session)
	})
}

// The entry of a transaction that took long has an earlier time than entries that were read before it was committed.
func TestALateCommitIsFound(t *testing.T) {
	bubble(t, nothing, func(r *rig) {
		begun := time.Now()
		time.Sleep(10 * time.Second)
		r.src.end(time.Now())
		time.Sleep(10 * time.Second)
		late := r.src.end(begun)
		time.Sleep(promised)
		r.wantEnded("the late one", true, late)
	})
}

// A process whose clock is ahead makes entries of the future. They must not hide those of the others.
func TestAnEntryOfTheFutureHidesNoOther(t *testing.T) {
	bubble(t, func(s *source) { s.end(time.Now().Add(time.Hour)) }, func(r *rig) {
		time.Sleep(time.Minute)
		session := r.src.end(time.Now())
		time.Sleep(promised)
		r.wantEnded("another process's", true, session)
	})
}

// The source's clock is the database's, which may differ from those of the services.
func TestClocksThatDifferHideNoEntry(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"the source's is ahead": 2 * time.Hour, "the source's is behind": -2 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(s *source) { s.ahead = ahead; s.end(time.Now()) }, func(r *rig) {
				for range 3 {
					time.Sleep(10 * time.Minute)
					session := r.src.end(time.Now())
					time.Sleep(promised)
					r.wantEnded("a session", true, session)
				}
			})
		})
	}
}

func TestAQuietLoadAsksForLittle(t *testing.T) {
	bubble(t, func(s *source) { s.end(time.Now()) }, func(r *rig) {
		begun := time.Now()
		time.Sleep(time.Hour - PollEvery/2) // between two loads
		synctest.Wait()
		asked := r.src.asked
		if first := asked[0]; first.After(begun.Add(-24 * time.Hour)) {
			t.Errorf("the first load: asked since %s, want at least the life of a deletion before %s", first, begun)
		}
		if last := asked[len(asked)-1]; !last.Equal(begun.Add(-overlap)) {
			t.Errorf("the last load: asked since %s, want %s", last, begun.Add(-overlap))
		}
		if got, want := len(asked), int(time.Hour/PollEvery); got != want {
			t.Errorf("loads in an hour: got %d, want %d", got, want)
		}
	})
}

func TestTheLastKnownSetStaysDuringAnOutage(t *testing.T) {
	var session string
	bubble(t, func(s *source) { session = s.end(time.Now()) }, func(r *rig) {
		r.src.set(func(s *source) { s.fail = errors.New("no such host") })
		time.Sleep(10 * time.Minute)
		if err := r.set.Ready(t.Context()); err != nil {
			t.Errorf("Ready in an outage: got %v, want nil", err)
		}
		r.wantEnded("in the outage", true, session)
		missed := r.src.end(time.Now().Add(-5 * time.Minute))
		r.src.set(func(s *source) { s.fail = nil })
		time.Sleep(promised)
		r.wantEnded("after it", true, session, missed)
		if got := strings.Count(r.log.String(), "level=WARN"); got != 1 {
			t.Errorf("got %d warnings for one outage, want 1:\n%s", got, r.log)
		}
	})
}

func TestAServiceIsNotReadyBeforeTheFirstLoad(t *testing.T) {
	bubble(t, func(s *source) { s.fail = errors.New("no such host") }, func(r *rig) {
		time.Sleep(time.Minute)
		if err := r.set.Ready(t.Context()); !errors.Is(err, auth.ErrNotLoaded) {
			t.Errorf("Ready: got %v, want ErrNotLoaded", err)
		}
		r.src.set(func(s *source) { s.fail = nil })
		time.Sleep(againEvery)
		synctest.Wait()
		if err := r.set.Ready(t.Context()); err != nil {
			t.Errorf("Ready once the source is there: got %v, want nil", err)
		}
	})
}

// A part of the list is not the list: a service that is ready after it would admit the rest.
func TestALoadThatStopsHalfWayIsNoLoad(t *testing.T) {
	for name, prepare := range map[string]func(*source){
		"no end":        func(s *source) { s.endless = true },
		"no next place": func(s *source) { s.page = 0; s.end(time.Now()) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, prepare, func(r *rig) {
				if err := r.set.Ready(t.Context()); !errors.Is(err, auth.ErrNotLoaded) {
					t.Errorf("Ready: got %v, want ErrNotLoaded", err)
				}
			})
		})
	}
}

func TestAnUnusableEntryIsLoggedAndHidesNoOther(t *testing.T) {
	var session string
	bubble(t, func(s *source) {
		s.items = append(s.items, auth.Revocation{Kind: auth.RevokedSession, ID: "s", UserID: "u-1", At: time.Now(), AddedAt: time.Now()})
		session = s.end(time.Now())
	}, func(r *rig) {
		r.wantEnded("the other one", true, session)
		if !strings.Contains(r.log.String(), "u-1") {
			t.Errorf("the log does not name the entry's user:\n%s", r.log)
		}
	})
}

func TestTheMetricsShowAgeAndSize(t *testing.T) {
	bubble(t, func(s *source) {
		s.end(time.Now())
		s.end(time.Now())
	}, func(r *rig) {
		r.src.set(func(s *source) { s.fail = errors.New("no such host") })
		time.Sleep(time.Minute)
		synctest.Wait()
		want := `
# HELP revocations_age_seconds Time since the last complete load of the ended sessions.
# TYPE revocations_age_seconds gauge
revocations_age_seconds 60
# HELP revocations_entries Entries in the set of what was revoked, by kind.
# TYPE revocations_entries gauge
revocations_entries{kind="role"} 0
revocations_entries{kind="session"} 2
revocations_entries{kind="token"} 0
revocations_entries{kind="user"} 0
# HELP revocations_load_failures_total Failed loads of the ended sessions; the next one follows within seconds.
# TYPE revocations_load_failures_total counter
revocations_load_failures_total 117
`
		names := []string{"revocations_age_seconds", "revocations_entries", "revocations_load_failures_total"}
		if err := testutil.GatherAndCompare(r.reg, strings.NewReader(want), names...); err != nil {
			t.Error(err)
		}
	})
}
