package tasks

// This file decides what one operation does to a task.

import (
	"errors"
	"fmt"
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
	// IfNoneMatch are the versions that the task must not have.
	IfNoneMatch NoneMatch
	// Apply returns the changed task, or the same task when nothing is to change.
	Apply func(t domain.Task, d domain.Defaults) (domain.Task, error)
	// Deleted makes Apply run on deleted tasks too. Otherwise a deleted task is not found.
	Deleted bool
	// Restores says that Apply may restore a deleted task, and Deletes that it may delete one.
	Restores, Deletes bool
	// Position is the position that the request gives the task; nil if it gives none.
	Position *float64
	// Beside moves the task next to another one, after Apply.
	Beside *Beside
	// Reopens says that Apply may open a completed or cancelled task. The next occurrence is then withdrawn.
	Reopens bool
	// Skip cancels the task, an occurrence of a series, and creates the next occurrence.
	Skip bool

	succeed bool // creates the occurrence after TaskID, which is completed
}

// follows reports whether the operation may create the occurrence after its task.
func (op Op) follows() bool { return op.succeed }

// OpResult is the outcome of an operation: the task right after the operation, or the reason why it had no effect.
type OpResult struct {
	Task domain.Task
	Made bool // the operation created the task
	// Next is what happened to the next occurrence of a task that was opened again; nil if there is none.
	Next *NextOccurrence
	Err  error
}

// NextOccurrence is the occurrence after a task that was opened again.
type NextOccurrence struct {
	ID        string `json:"id"`
	Withdrawn bool   `json:"withdrawn"` // false: it stays, because it was changed since it was made
}

// ask adds to a what the operation must know. It leaves out a malformed id, because no task has such an id.
func (op Op) ask(a *Ask) {
	if op.Err != nil {
		return
	}
	if a.Numbers++; op.Skip || op.Reopens {
		a.Numbers++ // for the next occurrence
	}
	a.Live += op.live()
	for _, id := range []string{op.TaskID, op.Alias} {
		if id == "" {
			continue
		}
		if parsed, err := uuid.Parse(id); err == nil {
			a.Tasks = append(a.Tasks, parsed)
			if op.Skip || op.Reopens || op.succeed {
				a.Next = append(a.Next, parsed)
			}
		}
	}
}

// live returns by how much the operation changes the number of tasks that are not deleted, if it has its usual effect.
func (op Op) live() int {
	switch {
	case op.Create != nil, op.Skip, op.Restores, op.succeed:
		return 1
	case op.Deletes:
		return -1
	}
	return 0
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
	case op.succeed:
		result, err = w.succeed(a, r, op)
	default:
		result, err = w.change(a, r, op)
	}
	if errors.Is(err, domain.ErrNoRoom) || errors.Is(err, domain.ErrNotFound) || errors.Is(err, ErrQuota) { // there is no place for the task
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
	if !ok || before.DeletedAt != nil && !op.Deleted {
		return refuse(domain.ErrNotFound)
	}
	if err := op.accept(before); err != nil {
		return refuse(err)
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
	result, err := w.update(a, r, before, after, now)
	if err == nil && op.Reopens && !before.Open() && after.Open() {
		result.Next, err = w.withdraw(a, r, after, now)
	}
	return result, err
}

// update records the change of a task, unless before and after are equal.
func (w *writer) update(a *account, r *request, before, after domain.Task, now time.Time) (OpResult, error) {
	changes := domain.Diff(before, after)
	if len(changes) == 0 && domain.SamePattern(before, after) {
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
