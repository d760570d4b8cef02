package tasks

// This file decides what one operation does to a task.

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

// Op is one operation. Exactly one of Err, Create, Apply and Skip is set.
type Op struct {
	// Err is the result of an operation that is already known to fail.
	Err error
	// Create returns the new task.
	Create func(id, userID string, d domain.Defaults) (domain.Task, error)
	// TaskID is the task to change. With Create it is the id of the new task, and for "" the service makes an id. When the
	// user already has a task with this id, deleted or not, the result is that task, and nothing is created.
	TaskID string
	// Alias is another id under which the task of a Create may exist already.
	Alias string
	// IfMatch are the versions that the task may have. nil accepts every version.
	IfMatch *Versions
	// Apply returns the changed task, or the same task when nothing is to change.
	Apply func(t domain.Task, d domain.Defaults) (domain.Task, error)
	// Deleted makes Apply run on deleted tasks too. Otherwise a deleted task is not found.
	Deleted bool
	// Restores says that Apply may restore a deleted task.
	Restores bool
	// Position is the position that the request gives the task; nil if it gives none.
	Position *float64
	// Beside moves the task next to another one, after Apply.
	Beside *Beside
	// Skip cancels the task, an occurrence of a series, and creates the next occurrence.
	Skip bool

	succeed *SuccessorRequest // creates the occurrence after TaskID
}

// follows reports whether the operation may create the occurrence after its task.
func (op Op) follows() bool { return op.succeed != nil }

// OpResult is the outcome of an operation: the task right after the operation, or the reason why it had no effect.
type OpResult struct {
	Task domain.Task
	Made bool // the operation created the task
	Err  error
}

// Versions are the task versions that a client accepts. An empty list accepts none.
type Versions []int64

func (v *Versions) accept(version int64) bool { return v == nil || slices.Contains(*v, version) }

// ask adds to a what the operation must know. It leaves out a malformed id, because no task has such an id.
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

// refuse returns the result of an operation that fails for a reason. The request continues.
func refuse(reason error) (OpResult, error) { return OpResult{Err: reason}, nil }

// operation runs an operation in memory. A failure of the operation is in its result. The error fails the whole request.
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
	if errors.Is(err, domain.ErrNoRoom) || errors.Is(err, domain.ErrNotFound) { // there is no place for the task
		return refuse(err)
	}
	var invalid *events.ValidationError
	if errors.As(err, &invalid) { // an event that breaks a rule of package events fails the operation, not the request
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
	t, err := op.Create(id, r.userID, domain.Defaults{Timezone: a.zone, Now: w.s.now(), Position: a.end()})
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
	if after.Position, err = w.position(a, r, before, after, op.Beside); err != nil {
		return OpResult{}, err
	}
	return w.update(a, r, before, after, now)
}

// update records the change of a task, unless before and after are equal.
func (w *writer) update(a *account, r *request, before, after domain.Task, now time.Time) (OpResult, error) {
	changes := domain.Diff(before, after)
	if len(changes) == 0 {
		return OpResult{Task: before}, nil
	}
	after.UpdatedAt = domain.Instant(now)
	after, err := w.record(a, r, &before, after, publish.Change{Type: domain.EventType(before, after), Changes: changes})
	return OpResult{Task: after}, err
}

// notBefore returns now, or the next instant after last when now is not later. So updated_at never goes back, even when
// the clocks of two replicas differ.
func notBefore(now, last time.Time) time.Time {
	if next := last.Add(domain.Precision); now.Before(next) {
		return next
	}
	return now
}

// skip cancels this occurrence of a recurring task and creates the next one. The successor is equal to the one that the
// recurrence engine would create, with the same id. When the engine has already created it, because the task was completed
// and reopened, skip does not change it. Skipping a skipped task changes nothing.
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

// succeed creates the occurrence after a completed one, or returns the existing one.
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

// asCompleted returns the task with the data of its completion event, so that the successor does not depend on later
// changes. Fields that the event does not contain come from the stored task.
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
