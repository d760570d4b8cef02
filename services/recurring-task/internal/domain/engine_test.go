package domain_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/services/recurring-task/internal/domain"
)

const (
	userID   = "0190a000-0000-7000-8000-0000000000aa"
	taskID   = "0190a000-0000-7000-8000-000000000001"
	seriesID = "0190a000-0000-7000-8000-0000000000cc"
)

// place is where a task stands in its series.
// tasks stands in for the task API: it makes one task for each place in a series.
type tasks struct {
	mu      sync.Mutex
	made    map[string]domain.Completion // by task
	asked   int
	before  func() error // runs before the task is made: the request is lost
	after   func() error // runs after the task is made: the answer is lost
	refused string
}

func (a *tasks) CreateSuccessor(_ context.Context, c domain.Completion) (domain.Answer, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked++
	if a.before != nil {
		if err := a.before(); err != nil {
			return domain.Answer{}, err
		}
	}
	if a.refused != "" {
		return domain.Answer{Refused: a.refused}, nil
	}
	_, there := a.made[c.TaskID]
	if !there {
		a.made[c.TaskID] = c
	}
	if a.after != nil {
		if err := a.after(); err != nil {
			return domain.Answer{}, err
		}
	}
	return domain.Answer{TaskID: "after " + c.TaskID, Made: !there}, nil
}

// processed stands in for the state store.
type processed struct {
	mu       sync.Mutex
	ids      map[string]bool
	has, add func() error // fail, or die, before the call has its effect
	added    func() error // after it
}

func (p *processed) Has(_ context.Context, id string) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.has != nil {
		if err := p.has(); err != nil {
			return false, err
		}
	}
	return p.ids[id], nil
}

func (p *processed) Add(_ context.Context, id string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.add != nil {
		if err := p.add(); err != nil {
			return err
		}
	}
	p.ids[id] = true
	if p.added != nil {
		return p.added()
	}
	return nil
}

// world holds what survives the crash of an engine.
type world struct {
	tasks     *tasks
	processed *processed
}

func newWorld() *world {
	return &world{tasks: &tasks{made: map[string]domain.Completion{}}, processed: &processed{ids: map[string]bool{}}}
}

func (w *world) engine() *domain.Engine {
	return domain.NewEngine(w.tasks, w.processed, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
}

func (w *world) wantSuccessors(t *testing.T, want int) {
	t.Helper()
	if got := len(w.tasks.made); got != want {
		t.Errorf("successors: got %d, want %d: %v", got, want, w.tasks.made)
	}
}

func completion(eventNo int, change ...func(*events.TaskEvent)) events.TaskEvent {
	at := time.Date(2030, 3, 1, 10, 0, 0, 0, time.UTC)
	ev := events.TaskEvent{
		EventID: fmt.Sprintf("0190b000-0000-7000-8000-%012d", eventNo), SchemaVersion: events.SchemaVersion, EventType: events.Completed,
		TaskID: taskID, UserID: userID, TaskVersion: 2, Seq: 2, Actor: userID, Timestamp: at,
		TaskData: events.TaskData{
			ID: taskID, UserID: userID, Title: "Water the plants", Status: events.StatusCompleted, Priority: events.PriorityMedium,
			Timezone: "UTC", DueDate: "2030-03-01", Recurrence: &events.Recurrence{RRule: "FREQ=WEEKLY", Anchor: events.AnchorSchedule, Timezone: "UTC"},
			SeriesID: seriesID, OccurrenceNo: 1, Version: 2, Seq: 2, CreatedAt: at, UpdatedAt: at, CompletedAt: &at,
		},
	}
	for _, c := range change {
		c(&ev)
	}
	return ev
}

func handle(t *testing.T, e *domain.Engine, ev events.TaskEvent) {
	t.Helper()
	if err := e.Handle(t.Context(), ev); err != nil {
		t.Errorf("Handle(%s %s): %v", ev.EventType, ev.EventID, err)
	}
}

func TestACompletedOccurrenceGetsItsSuccessor(t *testing.T) {
	w := newWorld()
	handle(t, w.engine(), completion(1))
	w.wantSuccessors(t, 1)
	want := domain.Completion{EventID: completion(1).EventID, UserID: userID, TaskID: taskID}
	if got := w.tasks.made[taskID]; got != want {
		t.Errorf("asked for %+v, want %+v", got, want)
	}
}

func TestEventsOtherThanCompletionsAreIgnored(t *testing.T) {
	for name, change := range map[string]func(*events.TaskEvent){
		"created":  func(e *events.TaskEvent) { e.EventType = events.Created },
		"updated":  func(e *events.TaskEvent) { e.EventType = events.Updated },
		"reopened": func(e *events.TaskEvent) { e.EventType = events.Reopened },
		"deleted":  func(e *events.TaskEvent) { e.EventType = events.Deleted },
		"restored": func(e *events.TaskEvent) { e.EventType = events.Restored },
		"skipped": func(e *events.TaskEvent) {
			e.EventType, e.TaskData.Status, e.TaskData.CompletedAt = events.Updated, events.StatusCancelled, nil
		},
		"does not recur": func(e *events.TaskEvent) { e.TaskData.Recurrence = nil },
		"original form, does not recur": func(e *events.TaskEvent) {
			e.SchemaVersion, e.TaskVersion, e.Seq = 1, 0, 0
			e.TaskData = events.TaskData{ID: taskID, UserID: userID, Title: "x", Status: events.StatusCompleted}
		},
	} {
		w := newWorld()
		handle(t, w.engine(), completion(1, change))
		if w.tasks.asked != 0 || len(w.processed.ids) != 0 {
			t.Errorf("%s: asked the task API %d times and remembered %v, want neither", name, w.tasks.asked, w.processed.ids)
		}
	}
}

func TestARefusalIsTheLastWord(t *testing.T) {
	w := newWorld()
	w.tasks.refused = "409 the series has ended"
	for range 3 {
		handle(t, w.engine(), completion(1))
	}
	if w.tasks.asked != 1 {
		t.Errorf("asked %d times, want once", w.tasks.asked)
	}
}

func TestTheSameEventTenTimesAtOnceMakesOneSuccessor(t *testing.T) {
	w := newWorld()
	var group sync.WaitGroup
	for i := range 10 {
		e := w.engine() // each its own replica
		group.Go(func() {
			if err := e.Handle(t.Context(), completion(1)); err != nil {
				t.Errorf("delivery %d: %v", i, err)
			}
		})
	}
	group.Wait()
	w.wantSuccessors(t, 1)
}

func TestReopenedAndCompletedAgainMakesOneSuccessor(t *testing.T) {
	w := newWorld()
	e := w.engine()
	again := completion(3, func(ev *events.TaskEvent) {
		later := ev.Timestamp.Add(50 * time.Hour)
		ev.TaskVersion, ev.TaskData.CompletedAt, ev.Timestamp = 4, &later, later
	})
	handle(t, e, completion(1))
	handle(t, e, completion(2, func(ev *events.TaskEvent) { ev.EventType, ev.TaskData.Status = events.Reopened, events.StatusPending }))
	handle(t, e, again)
	w.wantSuccessors(t, 1)
}

func TestEventsOutOfOrderMakeOneSuccessorForEachOccurrence(t *testing.T) {
	second := completion(2, func(e *events.TaskEvent) {
		e.TaskData.OccurrenceNo, e.TaskData.DueDate = 2, "2030-03-08"
		e.TaskID, e.TaskData.ID = seriesID, seriesID
	})
	w := newWorld()
	e := w.engine()
	for _, ev := range []events.TaskEvent{second, completion(1), second, completion(1)} {
		handle(t, e, ev)
	}
	w.wantSuccessors(t, 2)
}

// The process dies at each step of the first delivery, and a new process gets the redelivery.
func TestACrashAtAnyStepStillMakesOneSuccessor(t *testing.T) {
	die := func() error { panic("killed") }
	for step, arm := range map[string]func(*world){
		"before the look-up":                           func(w *world) { w.processed.has = die },
		"before the request arrives":                   func(w *world) { w.tasks.before = die },
		"after the successor is made, before it hears": func(w *world) { w.tasks.after = die },
		"before the event is remembered":               func(w *world) { w.processed.add = die },
		"after the event is remembered":                func(w *world) { w.processed.added = die },
	} {
		t.Run(step, func(t *testing.T) {
			w := newWorld()
			arm(w)
			func() {
				defer func() {
					if recover() == nil {
						t.Fatal("did not die")
					}
				}()
				_ = w.engine().Handle(t.Context(), completion(1))
			}()
			w.tasks.before, w.tasks.after, w.processed.has, w.processed.add, w.processed.added = nil, nil, nil, nil, nil
			for range 3 {
				handle(t, w.engine(), completion(1))
			}
			w.wantSuccessors(t, 1)
		})
	}
}

func TestAnEventWithoutAKnownOutcomeIsRetried(t *testing.T) {
	w := newWorld()
	lost := errors.New("connection reset")
	w.tasks.after = func() error { return lost }
	if err := w.engine().Handle(t.Context(), completion(1)); !errors.Is(err, lost) {
		t.Errorf("the answer is lost: %v, want an error that wraps %v", err, lost)
	}
	if len(w.processed.ids) != 0 {
		t.Errorf("remembered %v although the outcome is not known", w.processed.ids)
	}
}

func TestTheEngineWorksWithoutItsStateStore(t *testing.T) {
	w := newWorld()
	away := func() error { return errors.New("state store is away") }
	w.processed.has, w.processed.add = away, away
	for range 3 {
		handle(t, w.engine(), completion(1))
	}
	w.wantSuccessors(t, 1)
}

func TestAStateStoreThatHangsLeavesTimeForTheWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		e := domain.NewEngine(w.tasks, hanging{}, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
		start := time.Now()
		handle(t, e, completion(1))
		w.wantSuccessors(t, 1)
		if took := time.Since(start); took >= 10*time.Second {
			t.Errorf("took %s of the ten seconds that a delivery has", took)
		}
	})
}

// hanging is a state store that does not answer before its caller gives up.
type hanging struct{}

func (hanging) Has(ctx context.Context, _ string) (bool, error) {
	<-ctx.Done()
	return false, ctx.Err()
}

func (hanging) Add(ctx context.Context, _ string) error {
	<-ctx.Done()
	return ctx.Err()
}
