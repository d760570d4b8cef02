package events

import (
	"fmt"
	"time"
	_ "time/tzdata" // zones are checked the same on every machine, one without zone files too
)

// DueInstant returns the instant at which the task is due: due_at, or the last second of due_date's day (23:59:59 on
// the wall clock) in the task's zone. The second result is false when the task has no due date.
func (d TaskData) DueInstant() (time.Time, bool, error) {
	if d.DueAt != nil {
		return d.DueAt.UTC(), true, nil
	}
	if d.DueDate == "" {
		return time.Time{}, false, nil
	}
	loc, err := time.LoadLocation(d.Timezone)
	if err != nil {
		return time.Time{}, false, fmt.Errorf("due instant: %w", err)
	}
	day, err := time.Parse(time.DateOnly, d.DueDate)
	if err != nil {
		return time.Time{}, false, fmt.Errorf("due instant: %w", err)
	}
	return time.Date(day.Year(), day.Month(), day.Day(), 23, 59, 59, 0, loc).UTC(), true, nil
}
