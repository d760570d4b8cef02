package exchange

import (
	"strings"
	"time"

	"github.com/taskwire/taskwire/pkg/recurrence"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
)

// This file gives dates and times their instants.

// moment is a value of DTSTART, DUE, RECURRENCE-ID or TRIGGER: a day, or an instant with its wall-clock time.
type moment struct {
	wall  time.Time // with UTC as its zone
	clock bool      // it has a time of day; else it is a day
	at    time.Time // the instant; of a day, its beginning
	zone  string    // the IANA zone that the property names; "" for UTC and for the account's zone
	loc   *time.Location
	line  int
	value string
}

// placeWall returns the instant of a wall-clock time. A time that the clocks skip moves later by the gap, and of two equal times the
// first counts.
func placeWall(wall time.Time, loc *time.Location) time.Time {
	noon := time.Date(wall.Year(), wall.Month(), wall.Day(), 12, 0, 0, 0, loc)
	return recurrence.AtClock(noon, wall.Sub(wall.Truncate(24*time.Hour)), loc)
}

// wallIn returns the wall-clock time of an instant, with UTC as its zone.
func wallIn(at time.Time, loc *time.Location) time.Time {
	l := at.In(loc)
	return time.Date(l.Year(), l.Month(), l.Day(), l.Hour(), l.Minute(), l.Second(), 0, time.UTC)
}

// moment reads the value of a property. An instant has its wall-clock time in the zone of the task.
func (t *icsTask) moment(p property) (m moment, ok bool) {
	m = moment{loc: t.loc, line: p.line, value: p.value}
	w, ok := parseTime(p.value)
	if !ok {
		return m, false
	}
	if w.moved {
		t.note(p, "has the second 60, which is read as 59")
	}
	m.wall, m.clock = w.wall, w.clock
	tzid := strings.TrimSpace(p.params["TZID"])
	switch {
	case w.fixed:
		m.at = w.wall.Add(-w.offset)
		m.wall = wallIn(m.at, m.loc)
		return m, true
	case tzid == "" || !w.clock: // a day is a day in any zone
		m.at = placeWall(m.wall, m.loc)
		return m, true
	}
	zone := t.zones.zone(tzid)
	if zone.note != "" {
		t.note(p, zone.note)
	}
	m.zone, m.loc, m.at = zone.name, zone.loc, zone.at(w.wall)
	return m, true
}

// plus returns the moment a duration later.
func (m moment) plus(d span) moment {
	m = m.shift(d.days)
	if d.exact != 0 {
		m.at, m.clock = m.at.Add(d.exact), true
		m.wall = wallIn(m.at, m.loc)
	}
	return m
}

// shift returns the moment some days later, at the same wall-clock time.
func (m moment) shift(days int) moment {
	if days != 0 {
		m.wall = m.wall.AddDate(0, 0, days)
		m.at = placeWall(m.wall, m.loc)
	}
	return m
}

// day returns the date of the moment in a zone, as the API expects it.
func (m moment) day(loc *time.Location) string {
	if m.clock {
		return m.at.In(loc).Format(time.DateOnly)
	}
	return m.wall.Format(time.DateOnly)
}

// skipped returns the time of day that the moment means, if the clocks skip it on that day; else nil. A rule goes on at that time.
func (m *moment) skipped() *time.Duration {
	if m == nil {
		return nil
	}
	meant := m.wall.Sub(m.wall.Truncate(24 * time.Hour))
	if !m.clock || recurrence.Clock(m.at, m.loc) == meant {
		return nil
	}
	return &meant
}

// inRange reports whether a task can have the time.
func (m moment) inRange() bool {
	return m.wall.Year() >= domain.MinYear && m.wall.Year() <= domain.MaxYear
}
