package domain

import (
	"cmp"
	"fmt"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/recurrence"
)

// Successor describes the task that follows a completed one.
type Successor struct {
	EventID, UserID string
	TaskID          string // the completed task
	SeriesID        string
	OccurrenceNo    int    // of the completed task
	DueDate         string // of the new one, or else DueAt
	DueAt           *time.Time
	RemindAt        *time.Time      // of the new one; nil for none
	Completed       events.TaskData // the completed task
}

// SuccessorOf computes the task that follows a completed recurring task; false means that the series ends. A rule that
// counts from the completion counts from completed_at, or from the event's own time in the original form, which has no
// completed_at. In the original form a task without a series is the first of a new series.
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
