package domain

import (
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

// Reminder is what the newest event of a task says about its one reminder.
type Reminder struct {
	TaskID, UserID string
	Title          string
	DueAt          time.Time // zero only when Cancelled
	RemindAt       time.Time // zero only when Cancelled
	TaskVersion    int64     // 0 in the original form, where EventAt orders the events of a task instead
	EventAt        time.Time
	Cancelled      bool
}

// ReminderOf reads an event that was decoded, and so is valid. Times are cut to microseconds, which is what the
// database keeps: the instant that is stored is the instant that is compared.
func ReminderOf(ev events.ReminderEvent) Reminder {
	return Reminder{
		TaskID: ev.TaskID, UserID: ev.UserID, Title: ev.Title, DueAt: micro(ev.DueAt), RemindAt: micro(ev.RemindAt),
		TaskVersion: ev.TaskVersion, EventAt: micro(ev.Timestamp), Cancelled: ev.EventType == events.Cancelled,
	}
}

func micro(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// Outcome is what an event did to the reminder of its task.
type Outcome int

// The outcomes of applying an event.
const (
	Stale     Outcome = iota // something newer is known: nothing changed
	Scheduled                // it will be delivered
	Delivered                // it was delivered before, for the same instant, and is not again
	Cancelled                // it will not be delivered
)

func (o Outcome) String() string {
	return [...]string{"stale", "scheduled", "delivered before", "cancelled"}[o]
}
