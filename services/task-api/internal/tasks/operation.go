package tasks

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/publish"
)

// This file decides what one operation does to a task.

// Op is one operation. Exactly one of Err, Create, Apply and Skip says what it does.
type Op struct {
	// Err fails the operation without an attempt.
	Err error
	// Create makes a task.
	Create func(id, userID string, d domain.Defaults) (domain.Task, error)
	// TaskID is the task to change. With Create it is the id of the new task; "" lets the service choose one. If the
	// user has a task with this id already, also a deleted one, that task is the result, and nothing is made.
	TaskID string
	// Alias is another id under which the task of a Create may exist already.
	Alias string
	// IfMatch are the versions that the task may have. nil accepts every version.
	IfMatch *Versions
	// Apply returns the task as it shall be, or the task itself when there is nothing to change.
	Apply func(t domain.Task, d domain.Defaults) (domain.Task, error)
	// Deleted says that Apply takes deleted tasks too. Without it they are not found.
	Deleted bool
	// Skip leaves out the task, an occurrence of a series, and makes the next one.
	Skip bool

	succeed *SuccessorRequest // makes the task that follows TaskID
}

// OpResult is the outcome of an operation: the task as it was right after it, or the reason why it had no effect.
type OpResult struct {
	Task domain.Task
	Made bool // a task was made
	Err  error
}

// Versions are those that a client accepts. The empty list accepts none.
type Versions []int64

func (v *Versions) accept(version int64) bool { return v == nil || slices.Contains(*v, version) }

// ask adds what the operation has to know. An id that is not a UUID belongs to no task, so it is not asked for.
func (op Op) ask(a *Ask) {
	if op.Err != nil {
		return
	}
	if a.Numbers++; op.Skip {
		a.Numbers++ // for the successor
	}
	for _, id := range []string{op.TaskID, op.Alias} {
		if id == "" {
			continue
		}
		if parsed, err := uuid.Parse(id); err == nil {
			a.Tasks = append(a.Tasks, parsed)
			if op.Skip || op.succeed != nil {
				a.Next = append(a.Next, parsed)
			}
		}
	}
}

// refuse ends an operation for a reason. The request goes on.
func refuse(reason error) (OpResult, error) { return OpResult{Err: reason}, nil }

// operation does an operation in memory. What ends only the operation is in its result; the error ends the request.
func (w *writer) operation(a *account, r *request, op Op) (result OpResult, err error) {
	switch {
	case op.Err != nil:
		return refuse(op.Err)
	case op.Create != nil:
		result, err = w.create(a, r, op)
	case op.succeed != nil:
		result, err = w.succeed(a, r, op)
	default:
		result, err = w.change(a, r, op)
	}
	var invalid *events.ValidationError
	if errors.As(err, &invalid) { // an event that breaks a rule of package events ends the operation, not the request
		return refuse(err)
	}
	return result, err
}

func (w *writer) create(a *account, r *request, op Op) (OpResult, error) {
	for _, id := range []string{op.TaskID, op.Alias} {
		if t, ok := a.tasks[id]; ok && id != "" {
			return OpResult{Task: t}, nil
		}
	}
	id := op.TaskID
	if id == "" {
		made, err := uuid.NewV7()
		if err != nil {
			return OpResult{}, fmt.Errorf("make task id: %w", err)
		}
		id = made.String()
	}
	t, err := op.Create(id, r.userID, domain.Defaults{Timezone: a.zone, Now: w.s.now()})
	if err != nil {
		return refuse(err)
	}
	t, err = w.record(a, r, nil, t, publish.Change{Type: events.Created})
	return OpResult{Task: t, Made: true}, err
}

func (w *writer) change(a *account, r *request, op Op) (OpResult, error) {
	before, ok := a.tasks[op.TaskID]
	switch {
	case !ok, before.DeletedAt != nil && !op.Deleted:
		return refuse(domain.ErrNotFound)
	case !op.IfMatch.accept(before.Version):
		return refuse(domain.ErrStale)
	}
	now := notBefore(w.s.now(), before.UpdatedAt)
	if op.Skip {
		return w.skip(a, r, before, now)
	}
	after, err := op.Apply(before, domain.Defaults{Timezone: a.zone, Now: now})
	if err != nil {
		return refuse(err)
	}
	return w.update(a, r, before, after, now)
}

// update records the change of a task, if there is one.
func (w *writer) update(a *account, r *request, before, after domain.Task, now time.Time) (OpResult, error) {
	changes := domain.Diff(before, after)
	if len(changes) == 0 {
		return OpResult{Task: before}, nil
	}
	after.UpdatedAt = domain.Instant(now)
	after, err := w.record(a, r, &before, after, publish.Change{Type: domain.EventType(before, after), Changes: changes})
	return OpResult{Task: after}, err
}

// notBefore keeps updated_at from going back where the clocks of two replicas differ.
func notBefore(now, last time.Time) time.Time {
	if next := last.Add(domain.Precision); now.Before(next) {
		return next
	}
	return now
}

// skip leaves out this occurrence of a recurring task and makes the next one. The task becomes cancelled. Its successor
// is the one that the recurrence engine would make, with the same id. If the engine made it before (the task was
// completed and reopened), it stays as it is. Skipping a skipped task changes nothing.
func (w *writer) skip(a *account, r *request, before domain.Task, now time.Time) (OpResult, error) {
	skipped, next, more, err := domain.Skip(before, now)
	if err != nil {
		return refuse(err)
	}
	result, err := w.update(a, r, before, skipped, now)
	if err != nil || !more || result.Task.Version == before.Version {
		return result, err
	}
	if _, ok := a.occurrence(before.SeriesID, before.OccurrenceNo+1); ok {
		return result, nil
	}
	if made, err := w.successor(a, r, before, next); err != nil || made.Err != nil {
		return OpResult{Err: made.Err}, err
	}
	return result, nil
}

// succeed makes the occurrence after a completed one, or returns it when it exists.
func (w *writer) succeed(a *account, r *request, op Op) (OpResult, error) {
	stored, ok := a.tasks[op.TaskID]
	done := op.succeed.Completed
	if !ok || stored.SeriesID == "" || stored.SeriesID != done.SeriesID || stored.OccurrenceNo != done.OccurrenceNo {
		return refuse(domain.ErrNotFound)
	}
	if t, ok := a.occurrence(stored.SeriesID, stored.OccurrenceNo+1); ok {
		return OpResult{Task: t}, nil
	}
	return w.successor(a, r, asCompleted(stored, done), op.succeed.Next)
}

func (w *writer) successor(a *account, r *request, done domain.Task, next domain.Next) (OpResult, error) {
	t, err := domain.Successor(done, next, w.s.now())
	if err != nil {
		return refuse(err)
	}
	t, err = w.record(a, r, nil, t, publish.Change{Type: events.Created})
	return OpResult{Task: t, Made: true}, err
}

// asCompleted returns the task as its event tells it, so that the successor does not depend on how late the event
// comes. What the event does not carry comes from the stored task.
func asCompleted(stored domain.Task, event events.TaskData) domain.Task {
	done := domain.Task{TaskData: event}
	done.DeletedAt = stored.DeletedAt
	if stored.DueAt != nil && event.DueAt != nil && stored.DueAt.Equal(*event.DueAt) {
		done.DueClock = stored.DueClock
	}
	if stored.RemindAt != nil && event.RemindAt != nil && stored.RemindAt.Equal(*event.RemindAt) {
		done.RemindClock = stored.RemindClock
	}
	return done
}
