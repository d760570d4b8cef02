package hub_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/events/live"
	"github.com/taskwire/taskwire/services/websocket/internal/hub"
	"github.com/taskwire/taskwire/services/websocket/internal/hubtest"
)

// welcomeWait is how long a member of a test waits for its sources.
const welcomeWait = 4 * time.Second

// limits returns the limits of the service, with small bounds.
func limits() hub.Limits {
	l := hub.DefaultLimits()
	l.Page, l.Replay, l.Window = 10, 100, 16
	return l
}

// rig is a hub with both sources in memory. Its only user is u.
type rig struct {
	t     *testing.T
	h     *hub.Hub
	tasks *hubtest.Tasks
	inbox *hubtest.Notifications
}

// bubble runs a test with a hub in a synctest bubble: time is virtual, and synctest.Wait waits until reads have ended.
func bubble(t *testing.T, l hub.Limits, test func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, tasks: hubtest.NewTasks(), inbox: hubtest.NewNotifications()}
		r.h = hub.New(hub.Config{
			Tasks: r.tasks, Notifications: r.inbox, Log: slog.New(slog.DiscardHandler), Metrics: hub.NewMetrics(prometheus.NewRegistry()), Limits: l,
		})
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- r.h.Run(ctx) }()
		test(t, r)
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		r.h.Close()
	})
}

// join adds a member with a new page. A negative place is left out.
func (r *rig) join(since, notifications int64) (*page, *hub.Member) {
	r.t.Helper()
	p := &page{}
	return p, r.joinAs(since, notifications, p)
}

func (r *rig) joinAs(since, notifications int64, p *page) *hub.Member {
	r.t.Helper()
	start := hub.Start{Since: &since, NotificationsSince: &notifications, Wait: welcomeWait}
	if since < 0 {
		start.Since = nil
	}
	if notifications < 0 {
		start.NotificationsSince = nil
	}
	m, err := r.h.Join("u", start, p)
	if err != nil {
		r.t.Fatalf("Join(%d, %d): %v", since, notifications, err)
	}
	return m
}

func (r *rig) update(evs ...events.TaskUpdateEvent) {
	r.t.Helper()
	for _, ev := range evs {
		if err := r.h.Update(ev); err != nil {
			r.t.Fatalf("Update(%d): %v", ev.Seq, err)
		}
	}
}

func (r *rig) notify(evs ...events.NotificationEvent) {
	r.t.Helper()
	for _, ev := range evs {
		if err := r.h.Notify(ev); err != nil {
			r.t.Fatalf("Notify(%d): %v", ev.NotificationSeq, err)
		}
	}
}

// source is what a test does to either source.
type source interface {
	Fail(err error)
	Prune(userID string, seq int64)
	Rewind(userID string, seq int64)
	Claim(userID string, head int64)
	Gate() chan struct{}
	Len(userID string) int
	Calls() (reads, heads int)
}

// side is one stream under test. The other one has no events.
type side struct {
	*rig
	source
	stream live.Stream
}

// eachStream runs a test for each stream: one implementation serves both.
func eachStream(t *testing.T, l hub.Limits, test func(t *testing.T, s *side)) {
	t.Helper()
	for _, stream := range live.Streams {
		t.Run(string(stream), func(t *testing.T) {
			t.Parallel()
			bubble(t, l, func(t *testing.T, r *rig) {
				s := &side{rig: r, source: r.tasks, stream: stream}
				if stream == live.StreamNotifications {
					s.source = r.inbox
				}
				test(t, s)
			})
		})
	}
}

// delivery delivers an event.
type delivery func()

// add adds the next event to the source.
func (s *side) add() delivery {
	if s.stream == live.StreamNotifications {
		ev := s.inbox.Add("u")
		return func() { s.notify(ev) }
	}
	ev := s.tasks.Add("u")
	return func() { s.update(ev) }
}

func (s *side) addN(n int) []delivery {
	out := make([]delivery, n)
	for i := range out {
		out[i] = s.add()
	}
	return out
}

func deliver(all ...delivery) {
	for _, d := range all {
		d()
	}
}

// join adds a member that has seen everything up to since in the stream, and nothing in the other one. A negative since is
// left out.
func (s *side) join(since int64) (*page, *hub.Member) {
	s.t.Helper()
	p := &page{}
	return p, s.joinAs(since, p)
}

func (s *side) joinAs(since int64, p *page) *hub.Member {
	s.t.Helper()
	if s.stream == live.StreamNotifications {
		return s.rig.joinAs(0, since, p)
	}
	return s.rig.joinAs(since, 0, p)
}

// welcome is how a page shows the welcome frame with the place seq.
func (s *side) welcome(seq int64) string {
	if s.stream == live.StreamNotifications {
		return fmt.Sprint("welcome 0 ", seq)
	}
	return fmt.Sprint("welcome ", seq, " 0")
}

// seqs is how a page shows the events from, …, to.
func (s *side) seqs(from, to int) []string {
	var out []string
	for i := from; i <= to; i++ {
		if s.stream == live.StreamNotifications {
			out = append(out, fmt.Sprint("n", i))
		} else {
			out = append(out, fmt.Sprint(i))
		}
	}
	return out
}

// resync is how a page shows a resync of the stream.
func (s *side) resync(reason live.Reason, seq int64) string {
	return fmt.Sprint("resync ", s.stream, " ", reason, " ", seq)
}

func wants(t *testing.T, what string, p *page, want ...string) {
	t.Helper()
	synctest.Wait()
	if got := p.seen(); !slices.Equal(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// wantsEither wants a first frame, and then the events of both streams in any mixture: there is no order between them.
func wantsEither(t *testing.T, what string, p *page, first string, tasks, inbox []string) {
	t.Helper()
	synctest.Wait()
	got := p.seen()
	var ofTasks, ofInbox []string
	for i, frame := range got {
		switch {
		case i == 0:
		case strings.HasPrefix(frame, "n"):
			ofInbox = append(ofInbox, frame)
		default:
			ofTasks = append(ofTasks, frame)
		}
	}
	if len(got) == 0 || got[0] != first || !slices.Equal(ofTasks, tasks) || !slices.Equal(ofInbox, inbox) {
		t.Errorf("%s: got %v, want %s, then %v and %v", what, got, first, tasks, inbox)
	}
}

// wantsSeqs wants the welcome frame with the place from, and the events after it up to to.
func (s *side) wantsSeqs(what string, p *page, from, to int) {
	s.t.Helper()
	wants(s.t, what, p, append([]string{s.welcome(int64(from))}, s.seqs(from+1, to)...)...)
}

// wantClosed checks that a page was closed with a code.
func wantClosed(t *testing.T, what string, p *page, code live.Code) {
	t.Helper()
	synctest.Wait()
	if got := p.end(); got == nil || *got != code.Closing() {
		t.Errorf("%s: closed with %+v, want %+v", what, got, code.Closing())
	}
}
