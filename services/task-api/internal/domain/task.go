package domain

import (
	"slices"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

// Limits that only the API has; those of the fields are in package events, so that every service has the same.
const (
	// MinYear and MaxYear bound due dates and reminders: before are typing errors, and after MaxYear the end of a
	// due day can fall into the year 10000, which RFC 3339 cannot write.
	MinYear, MaxYear = 1900, 9998
	// MaxPosition bounds position: a whole number up to it is exact in JSON, in a double and in every client.
	MaxPosition = 1e15
	// RestoreWindow is how long a deleted task can be restored; after it the task is purged.
	RestoreWindow = 30 * 24 * time.Hour
)

// Task is a task as it is stored: the resource that the API answers and the events carry, and what only this service
// needs to know.
type Task struct {
	events.TaskData
	// DueClock and RemindClock are the times of day that the series was given, where due_at and remind_at differ from
	// them because the clocks skipped that hour on this day. The next occurrence returns to them.
	DueClock, RemindClock *time.Duration
}

// Open reports whether there is still something to do.
func (t Task) Open() bool {
	return t.DeletedAt == nil && (t.Status == events.StatusPending || t.Status == events.StatusInProgress)
}

// HasDue reports whether the task has a due date, of either kind.
func (t Task) HasDue() bool { return t.DueDate != "" || t.DueAt != nil }

// Due returns the instant at which the task is due, nil without a due date.
func (t Task) Due() *time.Time {
	at, ok, err := t.DueInstant()
	if err != nil || !ok {
		return nil
	}
	return &at
}

// clone returns a copy that shares nothing with t that a change would touch.
func (t Task) clone() Task {
	t.Tags = slices.Clone(t.Tags)
	if t.Recurrence != nil {
		r := *t.Recurrence
		t.Recurrence = &r
	}
	return t
}

// Precision is that of the database: an instant is cut to it when it comes in, so that what is answered is what is
// stored.
const Precision = time.Microsecond

// Instant brings t into the stored form.
func Instant(t time.Time) time.Time { return t.UTC().Truncate(Precision) }
