package domain_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/taskwire/taskwire/services/notification/internal/domain"
)

// waiting holds the due rows in memory and records when the engine delivers them.
type waiting struct {
	mu   sync.Mutex
	due  []domain.Due
	err  error
	when []time.Time // of each notification
}

func (w *waiting) add(at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	d := due()
	d.RemindAt, d.DeliverAt = at, at
	w.due = append(w.due, d)
}

func (w *waiting) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = err
}

func (w *waiting) notified() []time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.when)
}

func (w *waiting) Settle(_ context.Context, now time.Time, limit int, decide func(domain.Due, domain.Preferences) domain.Decision) (domain.Settled, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return domain.Settled{}, w.err
	}
	var s domain.Settled
	w.due = slices.DeleteFunc(w.due, func(d domain.Due) bool {
		if d.DeliverAt.After(now) || s.Notified == limit {
			return false
		}
		decide(d, domain.DefaultPreferences())
		w.when = append(w.when, now)
		s.Notified++
		return true
	})
	return s, nil
}

func (w *waiting) NextDue(context.Context) (time.Time, bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var next time.Time
	for _, d := range w.due {
		if next.IsZero() || d.DeliverAt.Before(next) {
			next = d.DeliverAt
		}
	}
	return next, !next.IsZero(), w.err
}

// run starts an engine that runs until the test ends.
func run(t *testing.T, w *waiting, log *slog.Logger) *domain.Engine {
	e := domain.NewEngine(w, time.Now, log, prometheus.NewRegistry())
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	synctest.Wait()
	return e
}

func TestTheEngineDeliversOnTimeWithoutWakeUps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &waiting{}
		at := []time.Time{time.Now().Add(1234 * time.Millisecond), time.Now().Add(72 * time.Hour)}
		for _, a := range at {
			w.add(a)
		}
		run(t, w, slog.New(slog.DiscardHandler))
		time.Sleep(73 * time.Hour)
		synctest.Wait()
		got := w.notified()
		if len(got) != 2 || !got[0].Equal(at[0]) || !got[1].Equal(at[1]) {
			t.Errorf("delivered at %v, want %v", got, at)
		}
	})
}

func TestAWakeUpDeliversDueRemindersAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &waiting{}
		e := run(t, w, slog.New(slog.DiscardHandler))
		time.Sleep(100 * time.Millisecond) // the engine sleeps until its next look
		w.add(time.Now())
		for range 5 { // more wake-ups than it can hold
			e.Wake()
		}
		synctest.Wait()
		if got := w.notified(); len(got) != 1 || !got[0].Equal(time.Now()) {
			t.Errorf("delivered at %v, want once, at %v", got, time.Now())
		}
	})
}

func TestThePollFindsRemindersOfADeadReplica(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &waiting{}
		run(t, w, slog.New(slog.DiscardHandler))
		time.Sleep(100 * time.Millisecond)
		w.add(time.Now()) // nobody wakes this engine
		time.Sleep(time.Second)
		synctest.Wait()
		if got := w.notified(); len(got) != 1 {
			t.Errorf("delivered %d within a poll, want 1", len(got))
		}
	})
}

func TestABacklogIsDeliveredInOneGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &waiting{}
		for range 1_050 { // several batches, and not a multiple of one
			w.add(time.Now().Add(-time.Hour))
		}
		run(t, w, slog.New(slog.DiscardHandler))
		if got := w.notified(); len(got) != 1_050 || !got[1_049].Equal(time.Now()) {
			t.Errorf("delivered %d at once, want 1050", len(got))
		}
	})
}

func TestTheEngineSurvivesADatabaseOutageAndLogsItOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines strings.Builder
		w := &waiting{err: errors.New("connection refused")}
		run(t, w, slog.New(slog.NewTextHandler(&lines, nil)))
		w.add(time.Now())
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		w.fail(nil)
		time.Sleep(10 * time.Second) // above the longest backoff
		synctest.Wait()
		if got := w.notified(); len(got) != 1 {
			t.Errorf("delivered %d after the database came back, want 1", len(got))
		}
		if got := strings.Count(lines.String(), "level=ERROR"); got != 1 {
			t.Errorf("%d error lines in ten minutes, want 1:\n%s", got, lines.String())
		}
	})
}
