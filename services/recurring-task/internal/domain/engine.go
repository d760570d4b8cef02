// Package domain is the recurrence engine: it creates one successor for each completed occurrence of a recurring task.
//
// # Promises
//
//   - One successor per occurrence. Its series and number identify it, and the task API creates it once. So repeated
//     events, a second completion, events out of order and two replicas all lead to that one task.
//   - None is lost. Handle returns nil only when the successor exists or never will. Otherwise the event must be delivered
//     again. When a process dies at any point, the redelivered event finds the work done or does it.
//   - The ids of processed events only save work. While their store is unavailable, the engine works without it.
//   - The task API decides what follows, by the task that it has stored. So an event that comes late or twice has no effect of
//     its own: a task that was opened again has no successor.
//
// The engine ignores skipped occurrences: the task API creates their successors in the transaction of the skip, because
// the user waits for the answer.
package domain

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/taskwire/taskwire/pkg/events"
)

// lookupTimeout bounds one call of the state store, so that most of a delivery's ten seconds are left for the work when
// the store hangs.
const lookupTimeout = 2 * time.Second

// Tasks is the task API.
type Tasks interface {
	// CreateSuccessor creates the task that follows, or finds the existing one. It must be idempotent. After an error it is
	// unknown whether the task exists, and the caller must try again.
	CreateSuccessor(ctx context.Context, c Completion) (Answer, error)
}

// Completion names a task that was completed, and the event of it.
type Completion struct{ EventID, UserID, TaskID string }

// Answer is the task API's final answer about a successor.
type Answer struct {
	TaskID  string // of the successor; empty when it was refused
	Made    bool   // by this request; false when it existed already
	Refused string // the reason why there will be none: the series has ended, or the task is gone
}

// Processed stores which events were processed.
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
		Name: "recurring_task_completions_total", Help: "Completions of recurring tasks, by outcome.",
	}, []string{"outcome"})}
	reg.MustRegister(e.outcomes)
	return e
}

// Handle creates the successor of a completed recurring task. For every other event it returns nil.
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
	answer, err := e.tasks.CreateSuccessor(ctx, Completion{EventID: ev.EventID, UserID: ev.UserID, TaskID: ev.TaskID})
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
	log.InfoContext(ctx, "successor existed already", "successor_id", answer.TaskID)
	return "there", nil
}

func (e *Engine) known(ctx context.Context, eventID string, log *slog.Logger) bool {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	known, err := e.processed.Has(ctx, eventID)
	if err != nil {
		log.WarnContext(ctx, "processed events cannot be looked up; working without them", "error", err.Error())
	}
	return known
}

// remember runs after the work: if it ran before and the process then died, the successor would be lost.
func (e *Engine) remember(ctx context.Context, eventID string, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	if err := e.processed.Add(ctx, eventID); err != nil {
		log.WarnContext(ctx, "processed event cannot be stored; the same event again would repeat harmless work", "error", err.Error())
	}
}
