package exchange

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
)

// This file reads start, due date and exceptions of a VTODO, and writes them into the item.

// takeTime reads a date or a duration. A value that cannot be read is kept in the description.
func (t *icsTask) takeTime(p property) {
	if p.name == "DURATION" {
		if d, ok := icsDuration(p.value); ok {
			t.duration = &d
		} else {
			t.keep(p, "is not a duration")
		}
		return
	}
	if p.name == "EXDATE" {
		for v := range strings.SplitSeq(p.value, ",") {
			one := p
			one.value = v
			if m, ok := t.moment(one); ok {
				t.exdates = append(t.exdates, m)
			} else {
				t.keep(one, "is not a date or time: not imported")
			}
		}
		return
	}
	m, ok := t.moment(p)
	switch {
	case !ok:
		t.keep(p, "is not a date or time: not imported")
	case p.name == "RECURRENCE-ID":
		if strings.EqualFold(p.params["RANGE"], "THISANDFUTURE") {
			t.note(p, "changes all following occurrences too: only this one is imported with its values")
		}
		t.recurrenceID = &m
	case !m.inRange():
		t.keep(p, fmt.Sprintf("is not in the years %d to %d: not imported", domain.MinYear, domain.MaxYear))
	case p.name == "DUE":
		t.due = &m
	default:
		t.start = &m
	}
}

// settleTimes makes start and due date fit together: both days or both instants, and the start not after the due date.
func (t *icsTask) settleTimes() {
	if t.start == nil && t.due == nil && t.recurrenceID != nil && t.recurrenceID.inRange() {
		t.start = t.recurrenceID // an exception at its own time may leave the time out
	}
	if t.start != nil && t.due == nil && t.duration != nil {
		if due := t.start.plus(*t.duration); due.inRange() && !due.at.Before(t.start.at) {
			due.line = t.start.line
			t.due = &due
		}
	}
	for _, m := range []*moment{t.due, t.start} {
		if m != nil && m.zone != "" {
			if t.timezone == "" {
				t.timezone, t.loc = m.zone, m.loc
			}
		}
	}
	for _, m := range []*moment{t.due, t.start} { // an instant with its offset has the wall-clock time of the task's zone
		if m != nil && m.clock && m.zone == "" && strings.HasSuffix(strings.ToUpper(m.value), "Z") {
			m.loc, m.wall = t.loc, wallIn(m.at, t.loc)
		}
	}
	t.closeGap()
	switch s, d := t.start, t.due; {
	case s == nil, d == nil && t.ownValue("due") == none:
	case d == nil:
		t.noteLine(s.line, "DTSTART", "is used as the due date too, because there is no DUE")
		t.due, t.start = s, nil
	case s.at.After(d.at):
		t.keepLine("DTSTART", s, "is after DUE: not imported")
		t.start = nil
	case s.clock && !d.clock:
		t.noteLine(s.line, "DTSTART", "has a time of day, and DUE has none: the start is its day")
		s.clock = false
		s.wall = s.wall.Truncate(24 * time.Hour)
		s.at = placeWall(s.wall, s.loc)
	case !s.clock && d.clock:
		t.noteLine(s.line, "DTSTART", "has no time of day, and DUE has one: the start is the beginning of that day")
		s.clock = true
	}
}

// closeGap makes a task due at its start, if the start comes after the due time only because the clocks skip it.
func (t *icsTask) closeGap() {
	if s, d := t.start, t.due; s != nil && d != nil && s.at.After(d.at) && !s.wall.After(d.wall) && s.skipped() != nil {
		d.at = s.at
	}
}

func (t *icsTask) keepLine(name string, m *moment, reason string) {
	t.keep(property{name: name, value: m.value, line: m.line}, reason)
}

// setTimes sets start, due date, time zone and recurrence.
func (t *icsTask) setTimes() {
	if t.timezone != "" {
		if _, err := events.LoadZone(t.timezone); err == nil {
			t.item.set("timezone", t.timezone)
		} else {
			t.noteLine(t.item.Line, "X-TASKWIRE-TIMEZONE", "is not an IANA time zone: the account's zone is used")
		}
	}
	t.setMoment("start", t.start)
	t.setMoment("due", t.due)
	if t.recurs == nil {
		for _, m := range t.exdates {
			t.keepLine("EXDATE", &m, "is not imported: the task does not recur")
		}
		return
	}
	t.item.Clocks.Start, t.item.Clocks.Due = t.start.skipped(), t.due.skipped()
	members := map[string]any{"rrule": t.recurs.text}
	if anchor := t.anchor; anchor != "" || t.recurs.anchor != "" {
		if !events.Anchor(anchor).Valid() {
			anchor = string(t.recurs.anchor)
		}
		if anchor != "" {
			members["anchor"] = anchor
		}
	}
	if from := t.from(); from.zone != "" && from.zone != t.timezone {
		members["timezone"] = from.zone
	}
	if days := t.excluded(); len(days) > 0 {
		members["exdates"] = days
	}
	t.item.set("recurrence", members)
}

func (t *icsTask) setMoment(name string, m *moment) {
	switch {
	case m == nil:
	case m.clock:
		t.item.set(name+"_at", instant(m.at))
	default:
		t.item.set(name+"_date", m.wall.Format(time.DateOnly))
	}
}

// excluded returns the days that the rule leaves out, from the first day of the task on: earlier ones are over.
func (t *icsTask) excluded() (days []string) {
	from := t.from()
	first := from.day(from.loc)
	for _, m := range t.exdates {
		if day := m.day(from.loc); day > first && m.inRange() {
			days = append(days, day)
		}
	}
	slices.Sort(days)
	days = slices.Compact(days)
	if len(days) > events.MaxExDates {
		lost := property{name: "EXDATE", value: strings.Join(days[events.MaxExDates:], ", "), line: t.item.Line}
		t.keep(lost, fmt.Sprintf("has more than %d days: the later ones are not left out", events.MaxExDates))
		days = days[:events.MaxExDates]
	}
	return days
}
