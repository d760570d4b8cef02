package client

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

// reminderDelays spread the reminders of a history over its writes: the first falls due at once, so some fall due
// before a part dies, some while it is away and some after it has returned.
var reminderDelays = []time.Duration{0, 300 * time.Millisecond, 600 * time.Millisecond, time.Second}

// farReminder is a delay that no test reaches.
const farReminder = 48 * time.Hour

// reminderDue is the due date of every task with a reminder. It only has to lie behind every reminder.
const reminderDue = "2030-01-01"

// reminder is a task's reminder as the writers left it.
type reminder struct {
	task string
	// due reports whether the reminder falls due during the test. A cancelled one never does.
	due bool
	// changes are the changes of the reminder that were answered, oldest first.
	changes []reminderChange
}

// reminderChange is one change of a reminder.
type reminderChange struct {
	kind    events.Type
	title   string
	version int64
}

// remindAt is a time from now in the API's form.
func remindAt(delay time.Duration) string {
	return time.Now().UTC().Add(delay).Format(time.RFC3339Nano)
}

func (h *History) addReminder(r reminder) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reminders = append(h.reminders, r)
}

// DueReminders returns how many reminders of the history fall due during the test.
func (h *History) DueReminders() (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range h.reminders {
		if r.due {
			n++
		}
	}
	return n
}

// markReminders creates one more task with a reminder that is due at once. Once its notification is in the inbox, every
// reminder that was due before it has had its turn.
func (h *History) markReminders(u *User) {
	task := u.Create(map[string]any{"title": "the last reminder", "due_date": reminderDue, "remind_at": remindAt(0)})
	h.Answered(task.ID, task.Version)
	h.addReminder(reminder{task: task.ID, due: true, changes: []reminderChange{{events.Scheduled, task.Title, task.Version}}})
}

// checkReminders waits until the inbox is complete, marks the end with one more reminder, and waits again.
func (h *History) checkReminders(t testing.TB, u *User) {
	t.Helper()
	Eventually(t, RecoveryTimeout, "each due reminder is in the inbox once", func() error { return h.CheckInbox(u) })
	h.markReminders(u)
	Eventually(t, RecoveryTimeout, "the last reminder is in the inbox", func() error { return h.CheckInbox(u) })
}

// CheckInbox returns an error unless each reminder of the history that fell due is in the inbox exactly once, and no
// other reminder of the history is there.
func (h *History) CheckInbox(u *User) error {
	inbox, err := u.Notifications()
	if err != nil {
		return err
	}
	got := map[string]int{}
	for _, n := range inbox {
		got[n.TaskID]++
	}
	for _, r := range h.reminders {
		want := 0
		if r.due {
			want = 1
		}
		if got[r.task] != want {
			return fmt.Errorf("task %s has %d notifications in the inbox, want %d", r.task, got[r.task], want)
		}
	}
	return nil
}

// CheckReminderEvents returns an error unless the ReminderEvents of the history's user, in the order of the topic, say
// what was answered: the same changes of each reminder in the same order, and nothing else. An event that comes again
// with the same id and content counts once, because the bus delivers at least once.
func (h *History) CheckReminderEvents(published []events.ReminderEvent) error {
	byTask := map[string][]events.ReminderEvent{}
	seen := map[string]events.ReminderEvent{}
	for _, e := range published {
		if first, again := seen[e.EventID]; again {
			if first != e {
				return fmt.Errorf("ReminderEvent %s was published with two contents: %+v and %+v", e.EventID, first, e)
			}
			continue
		}
		seen[e.EventID] = e
		byTask[e.TaskID] = append(byTask[e.TaskID], e)
	}
	for _, r := range h.reminders {
		got := byTask[r.task]
		if len(got) != len(r.changes) {
			return fmt.Errorf("task %s has %d ReminderEvents, want %d: %+v", r.task, len(got), len(r.changes), got)
		}
		version := int64(0)
		for i, want := range r.changes {
			e := got[i]
			// A write whose answer was lost was repeated, so the answered version may be above the event's.
			if e.EventType != want.kind || e.Title != want.title || e.TaskVersion <= version || e.TaskVersion > want.version {
				return fmt.Errorf("task %s: ReminderEvent %d is %+v, want %+v with a version above %d", r.task, i, e, want, version)
			}
			version = e.TaskVersion
		}
	}
	return nil
}

// Notification is what GET /notifications says of one notification.
type Notification struct {
	ID     string `json:"id"`
	Kind   string `json:"kind"`
	TaskID string `json:"task_id"`
	Title  string `json:"title"`
	Body   string `json:"body"`
	Late   bool   `json:"late"`

	DueDate string `json:"due_date"`
}

// Notifications returns the user's whole inbox, newest first.
func (u *User) Notifications() ([]Notification, error) {
	const path = "/api/v1/notifications"
	var all []Notification
	cursor := ""
	for {
		status, raw, err := u.Do(http.MethodGet, path+"?limit=200&cursor="+url.QueryEscape(cursor), nil, nil)
		if err != nil {
			return nil, err
		}
		if status != http.StatusOK {
			return nil, fmt.Errorf("GET %s: status %d: %s", path, status, raw)
		}
		var page struct {
			Items      []Notification `json:"items"`
			NextCursor string         `json:"next_cursor"`
		}
		if err := json.Unmarshal(raw, &page); err != nil {
			return nil, fmt.Errorf("GET %s: %w", path, err)
		}
		all = append(all, page.Items...)
		if page.NextCursor == "" {
			return all, nil
		}
		cursor = page.NextCursor
	}
}
