package recurrence

import "time"

// clockOf returns what the clocks of loc show at t, as a time in UTC: a wall-clock time without a zone.
func clockOf(t time.Time, loc *time.Location) time.Time {
	l := t.In(loc)
	return time.Date(l.Year(), l.Month(), l.Day(), l.Hour(), l.Minute(), l.Second(), l.Nanosecond(), time.UTC)
}

// dateOf returns the day that the calendar of loc shows at t.
func dateOf(t time.Time, loc *time.Location) date {
	l := t.In(loc)
	return newDate(l.Year(), l.Month(), l.Day())
}

// Clock returns the time of day that the clocks of loc show at t, as a duration since midnight.
func Clock(t time.Time, loc *time.Location) time.Duration {
	return clockOf(t, loc).Sub(dateOf(t, loc).Time)
}

// AtClock returns the instant of t's day in loc at which the clocks show the given time of day, by the rules of the
// package. A series remembers with it the time of day that it was given: an occurrence that fell into the hour which
// the clocks skip is late, the ones after it are not.
func AtClock(t time.Time, clock time.Duration, loc *time.Location) time.Time {
	return place(dateOf(t, loc).Add(clock), loc).UTC()
}

// place returns the instant at which the clocks of loc show wall. A time that they show twice is the first; a time
// that they skip moves later by the gap (RFC 5545, section 3.3.5: it is read with the offset before the gap).
func place(wall time.Time, loc *time.Location) time.Time {
	// No zone changes its offset twice within these two days.
	_, before := wall.Add(-24 * time.Hour).In(loc).Zone()
	_, after := wall.Add(24 * time.Hour).In(loc).Zone()
	early, late := wall.Add(-seconds(max(before, after))), wall.Add(-seconds(min(before, after)))
	for _, t := range []time.Time{early, late} {
		if clockOf(t, loc).Equal(wall) {
			return t
		}
	}
	return wall.Add(-seconds(before))
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }
