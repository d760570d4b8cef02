package domain

import (
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

// Reminder is the only reminder of a task, with the content of the task's newest event.
type Reminder struct {
	TaskID, UserID string
	Title          string
	DueDate        string    // of a task without a time of day; DueAt is then the end of that day
	DueAt          time.Time // zero only when Cancelled
	Timezone       string    // the user's; empty for an event of an older version
	RemindAt       time.Time // zero only when Cancelled
	TaskVersion    int64     // 0 in the original form, where EventAt orders the events of a task instead
	EventAt        time.Time
	Cancelled      bool
}

// ReminderOf returns the reminder of a decoded, valid event. Times are truncated to microseconds, the precision of the
// database, so that stored and new instants compare equal.
func ReminderOf(ev events.ReminderEvent) Reminder {
	return Reminder{
		TaskID: ev.TaskID, UserID: ev.UserID, Title: ev.Title, DueDate: ev.DueDate, DueAt: truncate(ev.DueAt),
		Timezone: ev.Timezone, RemindAt: truncate(ev.RemindAt),
		TaskVersion: ev.TaskVersion, EventAt: truncate(ev.Timestamp), Cancelled: ev.EventType == events.Cancelled,
	}
}

func truncate(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// Outcome is the effect of an event on the reminder of its task.
type Outcome int

// The outcomes of applying an event.
const (
	Stale     Outcome = iota // a newer event is known: nothing changed
	Scheduled                // the reminder will be delivered
	Delivered                // the reminder was delivered before for the same instant, and is not delivered again
	Cancelled                // the reminder will not be delivered
)

func (o Outcome) String() string {
	return [...]string{"stale", "scheduled", "delivered before", "cancelled"}[o]
}
