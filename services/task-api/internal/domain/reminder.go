package domain

import (
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

// Reminder says what happens to a task's reminder with a change: it is scheduled (which takes the place of the one
// before), cancelled, or left alone (false). before is nil for a new task.
//
// A time that the user sets is scheduled even when it has passed: then the reminder comes at once. One that was there
// already is scheduled again only while it lies ahead: a task that is reopened, restored, renamed or moved after its
// reminder came does not remind a second time.
func Reminder(before *Task, after Task, now time.Time) (events.Type, bool) {
	was := before != nil && before.reminds()
	if !after.reminds() {
		return events.Cancelled, was
	}
	if before == nil || !sameInstant(before.RemindAt, after.RemindAt) {
		return events.Scheduled, true
	}
	same := was && before.Title == after.Title && sameInstant(before.Due(), after.Due())
	return events.Scheduled, !same && after.RemindAt.After(now)
}

func (t Task) reminds() bool { return t.RemindAt != nil && t.Open() }
