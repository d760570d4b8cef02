package domain

import (
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

// Reminder returns the event type for a task's reminder after a change: events.Scheduled (which replaces the earlier reminder) or
// events.Cancelled. It returns false if the reminder does not change. before is nil for a new task.
//
// A new task with a past reminder is Quiet if the reminder belongs to the past of another program or of the series. Otherwise a new
// remind_at is scheduled even if it is in the past: the reminder then comes at once. An unchanged remind_at is scheduled again
// only while it is in the future. So a task that is reopened, restored, renamed or moved after its reminder came does not remind
// again.
func Reminder(before *Task, after Task, now time.Time) (events.Type, bool) {
	was := before != nil && before.reminds()
	if !after.reminds() {
		return events.Cancelled, was
	}
	if before == nil {
		return events.Scheduled, !after.Quiet
	}
	if !sameInstant(before.RemindAt, after.RemindAt) {
		return events.Scheduled, !after.Quiet
	}
	same := was && before.Title == after.Title && sameInstant(before.Due(), after.Due()) && before.DueDate == after.DueDate
	return events.Scheduled, !same && after.RemindAt.After(now)
}

func (t Task) reminds() bool { return t.RemindAt != nil && t.Open() }
