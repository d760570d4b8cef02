package recurrence

import "time"

// clockOf returns the wall-clock time in loc at t. The result has no zone; it is expressed as a time in UTC.
func clockOf(t time.Time, loc *time.Location) time.Time {
	l := t.In(loc)
	return time.Date(l.Year(), l.Month(), l.Day(), l.Hour(), l.Minute(), l.Second(), l.Nanosecond(), time.UTC)
}

// dateOf returns the calendar date in loc at t.
func dateOf(t time.Time, loc *time.Location) date {
	l := t.In(loc)
	return newDate(l.Year(), l.Month(), l.Day())
}

// Clock returns the time of day in loc at t, as a duration since midnight.
func Clock(t time.Time, loc *time.Location) time.Duration {
	return clockOf(t, loc).Sub(dateOf(t, loc).Time)
}

// AtClock returns the instant on t's day in loc at which the time of day is clock, by the rules of the package for skipped
// and repeated times. A series uses it to keep its time of day: an occurrence in an hour that the clocks skip is late, and
// the following ones are not.
func AtClock(t time.Time, clock time.Duration, loc *time.Location) time.Time {
	return place(dateOf(t, loc).Add(clock), loc).UTC()
}

// Wall returns the instant at which the wall-clock time in loc is that of wall, which is expressed in UTC. It is the first of two
// such instants. A time that the clocks skip moves later by the gap.
func Wall(wall time.Time, loc *time.Location) time.Time { return place(wall, loc).UTC() }

// place returns the instant at which the wall-clock time in loc is wall. Of a time that occurs twice it returns the first. A
// skipped time moves later by the gap (RFC 5545, section 3.3.5: it is read with the offset before the gap).
func place(wall time.Time, loc *time.Location) time.Time {
	// A zone changes its offset at most once within these two days.
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
