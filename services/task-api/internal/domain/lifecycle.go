package domain

import (
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

// Complete sets the status to completed. Completing a completed task changes nothing. The error is ErrNotFound for a deleted task.
func Complete(t Task, now time.Time) (Task, error) {
	if t.DeletedAt != nil {
		return t, ErrNotFound
	}
	return t.withStatus(events.StatusCompleted, now), nil
}

// Reopen sets the status of a completed or cancelled task to pending. Reopening an open task changes nothing. The error is
// ErrNotFound for a deleted task.
func Reopen(t Task, now time.Time) (Task, error) {
	if t.DeletedAt != nil {
		return t, ErrNotFound
	}
	if t.Open() {
		return t, nil
	}
	return t.withStatus(events.StatusPending, now), nil
}

// Delete marks a task as deleted, which makes it a tombstone. Deleting a deleted task changes nothing.
func Delete(t Task, now time.Time) (Task, error) {
	if t.DeletedAt == nil {
		at := Instant(now)
		t.DeletedAt = &at
	}
	return t, nil
}

// Restore undoes a deletion. Restoring a task that is not deleted changes nothing. The error is ErrRestoreWindow.
func Restore(t Task, now time.Time) (Task, error) {
	if t.DeletedAt != nil && now.Sub(*t.DeletedAt) > RestoreWindow {
		return t, ErrRestoreWindow
	}
	t.DeletedAt = nil
	return t, nil
}

// Skip cancels this occurrence of a recurring task. Skipping a skipped task changes nothing. The error is ErrNotFound,
// ErrNotRecurring or ErrAlreadyDone.
func Skip(t Task, now time.Time) (Task, error) {
	switch {
	case t.DeletedAt != nil:
		return t, ErrNotFound
	case t.Recurrence == nil:
		return t, ErrNotRecurring
	case t.Status == events.StatusCompleted:
		return t, ErrAlreadyDone
	}
	return t.withStatus(events.StatusCancelled, now), nil
}

// Withdraw deletes an untouched occurrence, because the one before it is open again.
func Withdraw(t Task, now time.Time) Task {
	at := Instant(now)
	t.DeletedAt, t.EngineVersion = &at, t.Version+1
	return t
}

// BringBack returns a withdrawn occurrence with the values of a newly made one. Its id, creation and versions stay.
func BringBack(withdrawn, made Task) Task {
	made.CreatedAt, made.Version, made.Seq = withdrawn.CreatedAt, withdrawn.Version, withdrawn.Seq
	made.EngineVersion = withdrawn.Version + 1
	return made
}

func (t Task) withStatus(s events.Status, now time.Time) Task {
	before := t.Status
	t.Status = s
	t.setStatus(before, Instant(now))
	return t
}

// EventType returns the type of the event for the change between two different states of a task.
func EventType(before, after Task) events.Type {
	done := func(s events.Status) bool { return s == events.StatusCompleted || s == events.StatusCancelled }
	switch {
	case before.DeletedAt == nil && after.DeletedAt != nil:
		return events.Deleted
	case before.DeletedAt != nil && after.DeletedAt == nil:
		return events.Restored
	case before.Status != events.StatusCompleted && after.Status == events.StatusCompleted:
		return events.Completed
	case done(before.Status) && !done(after.Status):
		return events.Reopened
	}
	return events.Updated
}
