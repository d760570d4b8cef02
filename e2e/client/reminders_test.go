package client

import (
	"slices"
	"testing"

	"github.com/taskwire/taskwire/pkg/events"
)

// TestCheckReminderEventsFindsWhatIsWrong checks a history with one reminder that was set, renamed and cancelled.
func TestCheckReminderEventsFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	h := NewHistory()
	h.addReminder(reminder{task: "t", changes: []reminderChange{{events.Scheduled, "a", 1}, {events.Scheduled, "b", 2}, {events.Cancelled, "b", 3}}})
	event := func(id string, kind events.Type, title string, version int64) events.ReminderEvent {
		return events.ReminderEvent{EventID: id, EventType: kind, TaskID: "t", Title: title, TaskVersion: version}
	}
	first, second, third := event("1", events.Scheduled, "a", 1), event("2", events.Scheduled, "b", 2), event("3", events.Cancelled, "b", 3)
	other := events.ReminderEvent{EventID: "9", TaskID: "of another history"}
	for name, tc := range map[string]struct {
		published []events.ReminderEvent
		ok        bool
	}{
		"what was answered":           {[]events.ReminderEvent{first, second, third}, true},
		"an event delivered again":    {[]events.ReminderEvent{first, second, first, second, third, third}, true},
		"the events of another task":  {[]events.ReminderEvent{other, first, second, third}, true},
		"an event is missing":         {[]events.ReminderEvent{first, third}, false},
		"the order is wrong":          {[]events.ReminderEvent{second, first, third}, false},
		"a change with two ids":       {[]events.ReminderEvent{first, second, event("4", events.Scheduled, "b", 2), third}, false},
		"an id with two contents":     {[]events.ReminderEvent{first, second, event("2", events.Scheduled, "c", 2), third}, false},
		"another title than answered": {[]events.ReminderEvent{first, event("2", events.Scheduled, "c", 2), third}, false},
		"a version above the answer":  {[]events.ReminderEvent{first, second, event("3", events.Cancelled, "b", 4)}, false},
		"not cancelled":               {[]events.ReminderEvent{first, second, event("3", events.Scheduled, "b", 3)}, false},
		"nothing":                     {nil, false},
	} {
		if err := h.CheckReminderEvents(slices.Clone(tc.published)); (err == nil) != tc.ok {
			t.Errorf("%s: got %v, want ok %v", name, err, tc.ok)
		}
	}
}
