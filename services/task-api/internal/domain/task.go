package domain

import (
	"slices"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

// Limits of the API. The limits of the fields are in package events, so that every service has the same.
const (
	// MinYear and MaxYear bound due dates and reminders. An earlier year is a typing error. After MaxYear the end of a due day
	// can be in the year 10000, which RFC 3339 cannot express.
	MinYear, MaxYear = 1900, 9998
	// RestoreWindow is the time in which a deleted task can be restored. After it the task is purged.
	RestoreWindow = 30 * 24 * time.Hour
)

// Task is a stored task: the resource in the API and in the events, and values that only this service needs.
type Task struct {
	events.TaskData
	// StartClock, DueClock and RemindClock are the times of day of the series. Each is set if the instant differs from it because
	// the clocks skip that hour on this day. The next occurrence returns to it.
	StartClock, DueClock, RemindClock *time.Duration
	// RuleZone is true if the client gave recurrence.timezone. Otherwise the rule's zone is always the task's.
	RuleZone bool
	// Pattern has the values of the series while this occurrence is an exception; nil if it is none.
	Pattern *Pattern
	// EngineVersion is the version that the task had when it was last created, withdrawn or brought back as an occurrence of its
	// series; 0 if that never happened. A task that has this version was not changed by its user since then.
	EngineVersion int64
	// Quiet is true for a new task whose reminder must not fire, because its time is past. It is not stored.
	Quiet bool
}

// Untouched reports whether the task is as it was made for its series.
func (t Task) Untouched() bool { return t.EngineVersion > 0 && t.Version == t.EngineVersion }

// Withdrawn reports whether the task was deleted because the occurrence before it was reopened, and was not changed since then.
func (t Task) Withdrawn() bool { return t.DeletedAt != nil && t.Untouched() }

// Open reports whether the task is pending or in progress, and not deleted.
func (t Task) Open() bool {
	return t.DeletedAt == nil && (t.Status == events.StatusPending || t.Status == events.StatusInProgress)
}

// HasStart reports whether the task has a start date or a start instant.
func (t Task) HasStart() bool { return t.StartDate != "" || t.StartAt != nil }

// HasDue reports whether the task has a due date or a due instant.
func (t Task) HasDue() bool { return t.DueDate != "" || t.DueAt != nil }

// Due returns the instant at which the task is due, or nil without a due date.
func (t Task) Due() *time.Time {
	at, ok, err := t.DueInstant()
	if err != nil || !ok {
		return nil
	}
	return &at
}

// clone returns a copy that a change can modify without changing t.
func (t Task) clone() Task {
	t.Tags = slices.Clone(t.Tags)
	if t.Recurrence != nil {
		r := *t.Recurrence
		r.ExDates = slices.Clone(r.ExDates)
		t.Recurrence = &r
	}
	return t
}

// Precision is the precision of instants in the database. Instants are truncated to it when they are read, so that an answer has the
// stored value.
const Precision = time.Microsecond

// Instant returns t in its stored form: in UTC, truncated to Precision.
func Instant(t time.Time) time.Time { return t.UTC().Truncate(Precision) }
