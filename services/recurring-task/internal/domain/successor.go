package domain

import (
	"cmp"
	"fmt"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/recurrence"
)

// Successor says which task follows a completed one, and why.
type Successor struct {
	EventID, UserID string
	TaskID          string // the completed task
	SeriesID        string
	OccurrenceNo    int    // of the completed task
	DueDate         string // of the new one, or else DueAt
	DueAt           *time.Time
	RemindAt        *time.Time // of the new one; nil for none
	Completed       events.TaskData
}

// SuccessorOf computes what follows a completed recurring task; false when its series ends there. Counted from the
// completion, that is completed_at, or the event's own time where the original form has none. A task that is in no
// series, in the original form, is the first of its own.
func SuccessorOf(ev events.TaskEvent) (Successor, bool, error) {
	task := ev.TaskData
	s := Successor{
		EventID: ev.EventID, UserID: ev.UserID, TaskID: ev.TaskID,
		SeriesID: cmp.Or(task.SeriesID, task.ID), OccurrenceNo: max(task.OccurrenceNo, 1), Completed: task,
	}
	completedAt := ev.Timestamp
	if task.CompletedAt != nil {
		completedAt = *task.CompletedAt
	}
	next, ok, err := recurrence.SuccessorOf(task, completedAt)
	if err != nil {
		return s, false, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	s.DueDate, s.DueAt, s.RemindAt = next.DueDate, next.DueAt, next.RemindAt
	return s, ok, nil
}
