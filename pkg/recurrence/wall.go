package recurrence

import "time"

// A wall-clock time is written as a time.Time in UTC that shows it.

// clockOf returns the wall-clock time in loc at t.
func clockOf(t time.Time, loc *time.Location) time.Time {
	l := t.In(loc)
	return time.Date(l.Year(), l.Month(), l.Day(), l.Hour(), l.Minute(), l.Second(), l.Nanosecond(), time.UTC)
}

// dayOf returns the date of a wall-clock time.
func dayOf(wall time.Time) date { return date(floorDiv(int(wall.Unix()), secondsOfDay)) }

// dateOf returns the calendar date in loc at t.
func dateOf(t time.Time, loc *time.Location) date { return dayOf(clockOf(t, loc)) }

// Clock returns the time of day in loc at t, as a duration since midnight.
func Clock(t time.Time, loc *time.Location) time.Duration {
	wall := clockOf(t, loc)
	return wall.Sub(dayOf(wall).midnight())
}

// AtClock returns the instant on t's day in loc at which the time of day is clock, by the rules of AtWall. A series uses it to
// keep its time of day: an occurrence in an hour that the clocks skip is late, and the following ones are not.
func AtClock(t time.Time, clock time.Duration, loc *time.Location) time.Time {
	return place(dateOf(t, loc).midnight().Add(clock), loc).UTC()
}

// AtWall returns the moment at which the clocks in loc show the date and the time of day of wall, whose own zone does not
// matter. A time that the clocks skip moves later by the gap (RFC 5545, section 3.3.5: it is read with the offset before the
// gap). Of a time that occurs twice it returns the first.
func AtWall(wall time.Time, loc *time.Location) Moment {
	wall = time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), wall.Nanosecond(), time.UTC)
	at := place(wall, loc).In(loc)
	return Moment{At: at, Gap: clockOf(at, loc).Sub(wall), Doubled: doubled(at)}
}

// place returns the instant of AtWall.
func place(wall time.Time, loc *time.Location) time.Time {
	// The part of the zone's history around wall, from one change of the offset to the next. No zone is a day or more away
	// from UTC, and only a part that begins at wall or before can have the offset before a gap.
	at := wall.Add(-farthestOffset)
	for {
		_, end := at.In(loc).ZoneBounds()
		if !end.IsZero() && !end.After(at) { // see wrongBound
			at = at.Add(wrongBound)
			continue
		}
		_, offset := at.In(loc).Zone()
		t := wall.Add(-seconds(offset))
		if end.IsZero() || t.Before(end) {
			return t
		}
		// The clocks show wall after this part. Where the next part begins later than wall, wall is in the gap.
		_, next := end.In(loc).Zone()
		if wall.Add(-seconds(next)).Before(end) {
			return t
		}
		at = end
	}
}

// wrongBound is a step over a bound that ends nothing: for a time in the last day (UTC) of a leap year after 2037,
// Time.ZoneBounds of Go 1.26 returns the beginning of that day as the end.
const wrongBound = time.Hour

// farthestOffset is more than any zone's distance from UTC: Manila was 15:56 behind until 1844.
const farthestOffset = 26 * time.Hour

// doubled reports whether the clocks show the time of at a second time later. They do if the next change sets them back behind it.
func doubled(at time.Time) bool {
	_, end := at.ZoneBounds()
	if end.IsZero() || !end.After(at) { // see wrongBound
		return false
	}
	_, offset := at.Zone()
	_, next := end.In(at.Location()).Zone()
	return at.Add(seconds(offset-next)).Compare(end) >= 0
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }
