package domain_test

import (
	"testing"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/services/recurring-task/internal/domain"
)

func instant(t *testing.T, s string) *time.Time {
	t.Helper()
	if s == "" {
		return nil
	}
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return &at
}

func show(at *time.Time) string {
	if at == nil {
		return ""
	}
	return at.UTC().Format(time.RFC3339)
}

// Checks which values of an event the rules of package recurrence are applied to: the instant, the zone and the reminder.
func TestSuccessorIsComputedFromTheEvent(t *testing.T) {
	const london, newYork = "Europe/London", "America/New_York"
	for _, c := range []struct {
		name                              string
		rule                              string
		anchor                            events.Anchor
		zone                              string
		dueDate, dueAt, remindAt, done    string
		wantDate, wantDueAt, wantRemindAt string
	}{
		{"a day, from the schedule", "FREQ=WEEKLY", events.AnchorSchedule, "UTC", "2030-03-01", "", "", "2030-03-20T10:00:00Z", "2030-03-22", "", ""},
		{"a day, from the completion", "FREQ=WEEKLY", events.AnchorCompletion, "UTC", "2030-03-01", "", "", "2030-03-20T10:00:00Z", "2030-03-27", "", ""},
		{"the day of completion is the zone's", "FREQ=DAILY", events.AnchorCompletion, newYork, "2030-03-01", "", "", "2030-03-20T02:00:00Z", "2030-03-20", "", ""},
		{"an instant keeps its wall clock", "FREQ=DAILY", events.AnchorSchedule, london, "", "2030-03-30T09:00:00Z", "", "2030-03-30T09:00:00Z", "", "2030-03-31T08:00:00Z", ""},
		{"an instant in the gap moves by it", "FREQ=DAILY", events.AnchorSchedule, newYork, "", "2030-03-09T07:30:00Z", "", "2030-03-09T08:00:00Z", "", "2030-03-10T07:30:00Z", ""},
		{"the reminder keeps its wall clock", "FREQ=DAILY", events.AnchorSchedule, london, "", "2030-03-30T09:00:00Z", "2030-03-29T18:00:00Z", "2030-03-30T09:00:00Z", "", "2030-03-31T08:00:00Z", "2030-03-30T18:00:00Z"},
		{"the reminder of a day", "FREQ=MONTHLY", events.AnchorSchedule, london, "2030-03-15", "", "2030-03-14T09:00:00Z", "2030-03-15T09:00:00Z", "2030-04-15", "", "2030-04-14T08:00:00Z"},
		{"weekdays", "FREQ=WEEKLY;BYDAY=MO,TH", events.AnchorSchedule, "UTC", "2030-03-04", "", "", "2030-03-04T09:00:00Z", "2030-03-07", "", ""},
		{"the last day of the month", "FREQ=MONTHLY;BYMONTHDAY=-1", events.AnchorSchedule, "UTC", "2030-01-31", "", "", "2030-01-31T09:00:00Z", "2030-02-28", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			ev := completion(1, func(e *events.TaskEvent) {
				e.TaskData.Recurrence = &events.Recurrence{RRule: c.rule, Anchor: c.anchor, Timezone: c.zone}
				e.TaskData.DueDate, e.TaskData.DueAt, e.TaskData.RemindAt = c.dueDate, instant(t, c.dueAt), instant(t, c.remindAt)
				e.TaskData.CompletedAt = instant(t, c.done)
			})
			s, ok, err := domain.SuccessorOf(ev)
			if err != nil || !ok {
				t.Fatalf("SuccessorOf: %v, %v", ok, err)
			}
			if s.DueDate != c.wantDate || show(s.DueAt) != c.wantDueAt || show(s.RemindAt) != c.wantRemindAt {
				t.Errorf("got %q %q, reminder %q; want %q %q, reminder %q", s.DueDate, show(s.DueAt), show(s.RemindAt), c.wantDate, c.wantDueAt, c.wantRemindAt)
			}
		})
	}
}

func TestTheOriginalFormCountsFromTheEventInItsOwnSeries(t *testing.T) {
	ev := completion(1, func(e *events.TaskEvent) {
		e.SchemaVersion = 1
		e.TaskData.SeriesID, e.TaskData.OccurrenceNo, e.TaskData.CompletedAt = "", 0, nil
		e.TaskData.Recurrence.Anchor = events.AnchorCompletion
		e.Timestamp = *instant(t, "2030-05-01T10:00:00Z")
	})
	s, ok, err := domain.SuccessorOf(ev)
	if err != nil || !ok || s.SeriesID != taskID || s.OccurrenceNo != 1 || s.DueDate != "2030-05-08" {
		t.Errorf("got %+v, %v, %v; want occurrence 1 of series %s and the next due 2030-05-08", s, ok, err, taskID)
	}
}
