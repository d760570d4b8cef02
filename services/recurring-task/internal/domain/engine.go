// Package domain is the recurrence engine: a completed occurrence of a recurring task gets its one successor.
//
// # Promises
//
//   - One successor per occurrence. Its place (series and number) names it, and the task API makes it once however often
//     it is asked, so the same event again, the task completed a second time, events out of order and two replicas at once
//     all end in that one task.
//   - None is lost. Handle returns nil only when the successor is there, or will never be; otherwise the event must come
//     again. Whatever process dies in between, the redelivered event finds the work done or does it.
//   - The ids of processed events are a short cut, not a safeguard: while their store is away, work goes on without it.
//   - When the successor is due follows from the event alone (package recurrence), not from the clock of this process.
//
// A skipped occurrence is none of this engine's business: the task API makes its successor in the transaction of the
// skip, because there the user waits for the answer.
package domain

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/taskwire/taskwire/pkg/events"
)

// ErrUnreadable is wrapped when an event's rule or zone cannot be read, and never will be.
var ErrUnreadable = errors.New("recurrence cannot be read")

// lookupTimeout leaves most of a delivery's ten seconds to the work itself when the state store hangs.
const lookupTimeout = 2 * time.Second

// Tasks is the task API.
type Tasks interface {
	// CreateSuccessor makes the task that follows, or finds it made. It must be idempotent. An error means that it is not
	// known whether the task is there: ask again.
	CreateSuccessor(ctx context.Context, s Successor) (Answer, error)
}

// Answer is the task API's last word on a successor.
type Answer struct {
	TaskID  string // of the successor; empty when it was refused
	Made    bool   // by this request; false when it was there already
	Refused string // why there will be none: the series has ended, or the task is gone
}

// Processed remembers the events whose work is done.
type Processed interface {
	Has(ctx context.Context, eventID string) (bool, error)
	Add(ctx context.Context, eventID string) error
}

// Engine handles task events. Safe for concurrent use.
type Engine struct {
	tasks     Tasks
	processed Processed
	log       *slog.Logger
	outcomes  *prometheus.CounterVec
}

// NewEngine makes an engine.
func NewEngine(tasks Tasks, processed Processed, log *slog.Logger, reg prometheus.Registerer) *Engine {
	e := &Engine{tasks: tasks, processed: processed, log: log, outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "recurring_task_completions_total", Help: "Completions of recurring tasks, by what came of them.",
	}, []string{"outcome"})}
	reg.MustRegister(e.outcomes)
	return e
}

// Handle gives a completed recurring task its successor. Every other event is none of its business: nil.
func (e *Engine) Handle(ctx context.Context, ev events.TaskEvent) error {
	if ev.EventType != events.Completed || ev.TaskData.Recurrence == nil {
		return nil
	}
	log := e.log.With("event_id", ev.EventID, "task_id", ev.TaskID, "user_id", ev.UserID)
	if e.known(ctx, ev.EventID, log) {
		e.outcomes.WithLabelValues("known").Inc()
		log.DebugContext(ctx, "event processed before")
		return nil
	}
	outcome, err := e.advance(ctx, ev, log)
	e.outcomes.WithLabelValues(outcome).Inc()
	if err != nil {
		return err
	}
	e.remember(ctx, ev.EventID, log)
	return nil
}

func (e *Engine) advance(ctx context.Context, ev events.TaskEvent, log *slog.Logger) (outcome string, err error) {
	s, ok, err := SuccessorOf(ev)
	if err != nil {
		return "unreadable", fmt.Errorf("successor of task %s: %w", ev.TaskID, err)
	}
	log = log.With("series_id", s.SeriesID, "occurrence_no", s.OccurrenceNo)
	if !ok {
		log.InfoContext(ctx, "series ends with this occurrence")
		return "ended", nil
	}
	answer, err := e.tasks.CreateSuccessor(ctx, s)
	switch {
	case err != nil:
		return "failed", fmt.Errorf("create the successor of task %s: %w", ev.TaskID, err)
	case answer.Refused != "":
		log.InfoContext(ctx, "no successor", "reason", answer.Refused)
		return "refused", nil
	case answer.Made:
		log.InfoContext(ctx, "successor made", "successor_id", answer.TaskID)
		return "made", nil
	}
	log.InfoContext(ctx, "successor was there", "successor_id", answer.TaskID)
	return "there", nil
}

func (e *Engine) known(ctx context.Context, eventID string, log *slog.Logger) bool {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	known, err := e.processed.Has(ctx, eventID)
	if err != nil {
		log.WarnContext(ctx, "processed events cannot be looked up, going on without", "error", err.Error())
	}
	return known
}

// remember is after the work: an id that is saved first and a process that dies then would lose the successor.
func (e *Engine) remember(ctx context.Context, eventID string, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	if err := e.processed.Add(ctx, eventID); err != nil {
		log.WarnContext(ctx, "processed event cannot be remembered, the same one again would do harmless work", "error", err.Error())
	}
}
