package domain

import (
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/recurrence"
)

// Complete makes a task completed. Completing a completed task changes nothing.
func Complete(t Task, now time.Time) (Task, error) {
	if t.DeletedAt != nil {
		return t, ErrNotFound
	}
	return t.withStatus(events.StatusCompleted, now), nil
}

// Reopen makes a completed or cancelled task pending. Reopening an open task changes nothing.
func Reopen(t Task, now time.Time) (Task, error) {
	if t.DeletedAt != nil {
		return t, ErrNotFound
	}
	if t.Open() {
		return t, nil
	}
	return t.withStatus(events.StatusPending, now), nil
}

// Delete makes a task a tombstone. Deleting a deleted task changes nothing.
func Delete(t Task, now time.Time) (Task, error) {
	if t.DeletedAt == nil {
		at := Instant(now)
		t.DeletedAt = &at
	}
	return t, nil
}

// Restore brings a deleted task back as it was. Restoring a task that is there changes nothing.
func Restore(t Task, now time.Time) (Task, error) {
	if t.DeletedAt != nil && now.Sub(*t.DeletedAt) > RestoreWindow {
		return t, ErrRestoreWindow
	}
	t.DeletedAt = nil
	return t, nil
}

// Skip leaves this occurrence of a recurring task out: it becomes cancelled, and next is when the one after it is due
// (false: the series ends here). Skipping a skipped task changes nothing, and asks for no other next one.
func Skip(t Task, now time.Time) (skipped Task, next Next, ok bool, err error) {
	switch {
	case t.DeletedAt != nil:
		return t, Next{}, false, ErrNotFound
	case t.Recurrence == nil:
		return t, Next{}, false, ErrNotRecurring
	case t.Status == events.StatusCompleted:
		return t, Next{}, false, ErrAlreadyDone
	case t.Status == events.StatusCancelled:
		return t, Next{}, false, nil
	}
	s, ok, err := recurrence.SuccessorOf(t.TaskData, now)
	if err != nil {
		return t, Next{}, false, err
	}
	return t.withStatus(events.StatusCancelled, now), Next{s.DueDate, s.DueAt, s.RemindAt}, ok, nil
}

func (t Task) withStatus(s events.Status, now time.Time) Task {
	before := t.Status
	t.Status = s
	t.setStatus(before, Instant(now))
	return t
}

// EventType names what happened between two states of a task that differ.
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
