package events

import "time"

// DueInstant returns the instant at which the task is due: due_at, or the end of due_date's day (23:59:59 on the wall
// clock) in the task's zone. The second result is false when the task has no due date. An error is a
// *ValidationError that names due_date or timezone.
func (d TaskData) DueInstant() (time.Time, bool, error) {
	if d.DueAt != nil {
		return d.DueAt.UTC(), true, nil
	}
	if d.DueDate == "" {
		return time.Time{}, false, nil
	}
	day, ok := parseDate(d.DueDate)
	if !ok {
		return time.Time{}, false, &ValidationError{"due_date", reasonDate}
	}
	loc, err := LoadZone(d.Timezone)
	if err != nil {
		return time.Time{}, false, &ValidationError{"timezone", "is not an IANA time zone"}
	}
	return endOfDay(day, loc), true, nil
}

const reasonDate = "is not a date (YYYY-MM-DD)"

// parseDate reads YYYY-MM-DD, a day that exists.
func parseDate(s string) (time.Time, bool) {
	day, err := time.Parse(time.DateOnly, s)
	return day, err == nil && day.Year() >= 1
}

// endOfDay returns the last second of that day in loc: the last instant at which its clocks show 23:59:59. They show
// it twice where they are put back at midnight, and never where they are put forward over it (Nuuk, each March; Samoa
// left out all of 30 December 2011): then the day ends with the second before the gap.
func endOfDay(day time.Time, loc *time.Location) time.Time {
	wall := time.Date(day.Year(), day.Month(), day.Day(), 23, 59, 59, 0, time.UTC)
	// The offset changes once at most in these three days, so the two at their ends are all there are.
	_, before := wall.Add(-36 * time.Hour).In(loc).Zone()
	_, after := wall.Add(36 * time.Hour).In(loc).Zone()
	late, early := wall.Add(-offset(min(before, after))), wall.Add(-offset(max(before, after)))
	for _, t := range []time.Time{late, early} {
		if _, o := t.In(loc).Zone(); t.Add(offset(o)).Equal(wall) {
			return t
		}
	}
	gap, _ := late.In(loc).ZoneBounds() // late reads the clock as before the gap, so it lies after it
	return gap.Add(-time.Second).UTC()
}

func offset(seconds int) time.Duration { return time.Duration(seconds) * time.Second }
