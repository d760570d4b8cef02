package domain

// This file writes the texts of notifications: in the user's zone, with the day by name.

import (
	"fmt"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

const (
	dayLayout = "Monday 2 January 2006"
	endOfDay  = "23:59:59" // the time of day that stands for a whole day
)

// body returns the text of a reminder that is sent at now. It names the day of a task without a time of day, and no time
// of day for it. Otherwise it names the time on the user's wall clock, with the zone. Words like today refer to now, and a
// text may be read later, so the date is always there too.
func body(d Due, p Preferences, now time.Time, late bool) string {
	zone := d.zone(p)
	text := ""
	if day, ok := d.day(zone); ok {
		text = "Due " + named(day, "", now.In(zone)) + "."
	} else if d.DueAt != nil {
		at := d.DueAt.In(zone)
		text = fmt.Sprintf("Due %s (%s).", named(at, at.Format(clockLayout), now.In(zone)), zone)
	}
	if late {
		if text != "" {
			text += " "
		}
		at := d.RemindAt.In(zone)
		text += fmt.Sprintf("This reminder was for %s at %s (%s) and is late.", at.Format(dayLayout), at.Format(clockLayout), zone)
	}
	return text
}

// named returns a day, with a time of day unless clock is "".
func named(day time.Time, clock string, now time.Time) string {
	date, at := day.Format(dayLayout), ""
	if clock != "" {
		at = " at " + clock
	}
	switch daysBetween(now, day) {
	case 0:
		return "today" + at + ", " + date
	case 1:
		return "tomorrow" + at + ", " + date
	}
	return date + at
}

// daysBetween returns the number of calendar days from one wall clock's day to another's.
func daysBetween(from, to time.Time) int {
	midnight := func(t time.Time) time.Time { return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC) }
	return int(midnight(to).Sub(midnight(from)) / (24 * time.Hour))
}

// zone returns the zone of the texts: the user's, else that of the user's quiet hours, else UTC.
func (d Due) zone(p Preferences) *time.Location {
	if zone, err := events.LoadZone(d.Timezone); err == nil {
		return zone
	}
	if p.Quiet != nil {
		return p.Quiet.Zone
	}
	return time.UTC
}

// day returns the day of a task that is due on a day. An event of an older version does not say which task that is. Then
// the last second of a day stands for the day: in the zone of the texts, or in UTC, in which the original form counts.
func (d Due) day(zone *time.Location) (time.Time, bool) {
	if day, err := time.Parse(time.DateOnly, d.DueDate); err == nil {
		return day, true
	}
	if d.DueAt == nil || !d.Older {
		return time.Time{}, false
	}
	for _, z := range []*time.Location{zone, time.UTC} {
		if at := d.DueAt.In(z); at.Format(time.TimeOnly) == endOfDay {
			return at, true
		}
	}
	return time.Time{}, false
}
