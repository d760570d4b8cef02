package events

import "time"

// DueInstant returns the instant at which the task is due: due_at, or the end of due_date's day (23:59:59 wall-clock time)
// in the task's zone. The second result reports whether the task has a due date. The error is a *ValidationError that names
// due_date or timezone.
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

// parseDate reads YYYY-MM-DD and reports whether that day exists.
func parseDate(s string) (time.Time, bool) {
	day, err := time.Parse(time.DateOnly, s)
	return day, err == nil && day.Year() >= 1
}

// endOfDay returns the last second of that day in loc: the last instant at which the local time is 23:59:59. The local time
// is 23:59:59 twice if the clocks go back at midnight. It is never 23:59:59 if they go forward over it (Nuuk, each March;
// Samoa skipped 30 December 2011). Then the day ends with the second before the gap.
func endOfDay(day time.Time, loc *time.Location) time.Time {
	wall := time.Date(day.Year(), day.Month(), day.Day(), 23, 59, 59, 0, time.UTC)
	// A zone changes its offset at most once in these three days, so there are no other offsets.
	_, before := wall.Add(-36 * time.Hour).In(loc).Zone()
	_, after := wall.Add(36 * time.Hour).In(loc).Zone()
	late, early := wall.Add(-offset(min(before, after))), wall.Add(-offset(max(before, after)))
	for _, t := range []time.Time{late, early} {
		if _, o := t.In(loc).Zone(); t.Add(offset(o)).Equal(wall) {
			return t
		}
	}
	gap, _ := late.In(loc).ZoneBounds() // late uses the offset before the gap, so it lies after the gap
	return gap.Add(-time.Second).UTC()
}

func offset(seconds int) time.Duration { return time.Duration(seconds) * time.Second }
