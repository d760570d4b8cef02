package exchange

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/recurrence"
)

// This file writes start, due date, rule and alarm of a VTODO.

// none as the value of X-TASKWIRE-START says that DTSTART only repeats DUE, because a rule needs it (RFC 5545, section 3.8.5.3). As the
// value of X-TASKWIRE-DUE it says that the task has no due date.
const none = "NONE"

// times writes DTSTART and DUE. If one is a day and the other an instant, the day becomes an instant too, because both must have the
// same form (RFC 5545, section 3.8.2.3).
func (t *icsTodo) times() {
	t.timed = t.StartAt != nil || t.DueAt != nil
	due := t.moment("due", t.DueDate, t.DueAt, t.DueClock)
	start := t.moment("start", t.StartDate, t.StartAt, t.StartClock)
	if start == "" && t.Recurrence != nil {
		start = due
		t.add(ownICS("start"), none)
	}
	if start != "" && due == "" {
		t.add(ownICS("due"), none)
	}
	if start != "" {
		t.lines = append(t.lines, "DTSTART"+start)
	}
	if due != "" {
		t.lines = append(t.lines, "DUE"+due)
	}
}

// moment returns the parameters and the value of a property, or "". What the value cannot express goes into a property of its own.
func (t *icsTodo) moment(name, day string, at *time.Time, clock *time.Duration) string {
	switch {
	case day != "" && t.timed:
		t.add(ownICS(name+"_date"), day)
		zone := t.zone
		if at, ok := dayInstant(name, day, zone); ok {
			wall := wallOf(at, nil, zone)
			t.walls[name] = wall
			return t.wall(wall)
		}
		return ""
	case day != "":
		t.walls[name], _ = time.Parse(time.DateOnly, day) // the domain has checked it
		return ";VALUE=DATE:" + strings.ReplaceAll(day, "-", "")
	case at == nil:
		return ""
	}
	wall := wallOf(*at, clock, t.zone)
	local := clock != nil || atWall(wall, t.zone).Equal(*at) // else it is the second of two equal wall-clock times
	if !at.Equal(at.Truncate(time.Second)) || !local {
		t.add(ownICS(name+"_at"), instant(*at))
	}
	if t.Recurrence == nil && (!local || !hasVTimezone(*at)) { // a rule needs wall-clock times
		return ":" + at.UTC().Format(icsStamp)
	}
	t.walls[name] = wall
	return t.wall(wall)
}

// wall returns a wall-clock time in the zone. A rule that counts in UTC, unlike its task, has UTC as a zone with a name.
func (t *icsTodo) wall(wall time.Time) string {
	if isUTC(t.zone) && t.zone.String() == t.Timezone {
		return ":" + wall.Format(icsStamp)
	}
	t.usesZone = true
	return ";TZID=" + t.zone.String() + ":" + wall.Format(icsWall)
}

func isUTC(zone *time.Location) bool {
	switch zone.String() {
	case "UTC", "Etc/UTC", "Etc/UCT", "UCT", "Zulu", "Etc/Zulu", "Universal", "Etc/Universal":
		return true
	}
	return false
}

// wallOf returns the wall-clock time of an instant, or the one that it means if the clocks skip that. A gap over midnight moves a
// time to the next day.
func wallOf(at time.Time, clock *time.Duration, zone *time.Location) time.Time {
	l := at.In(zone)
	wall := time.Date(l.Year(), l.Month(), l.Day(), l.Hour(), l.Minute(), l.Second(), l.Nanosecond(), time.UTC)
	if clock == nil {
		return wall
	}
	day := time.Date(l.Year(), l.Month(), l.Day(), 0, 0, 0, 0, time.UTC)
	if before := day.AddDate(0, 0, -1).Add(*clock); atWall(before, zone).Equal(at) {
		return before
	}
	return day.Add(*clock)
}

// rule writes RRULE and EXDATE as other programs read them.
func (t *icsTodo) rule() {
	if t.Recurrence == nil {
		return
	}
	t.add("RRULE", t.ruleForOthers())
	base := t.base()
	for _, day := range t.Recurrence.ExDates {
		exception, err := time.Parse(time.DateOnly, day)
		switch {
		case err != nil || day == base.Format(time.DateOnly): // this occurrence is there, whatever the days that are left out
		case t.timed:
			t.lines = append(t.lines, "EXDATE"+t.wall(exception.Add(recurrence.Clock(base, time.UTC))))
		default:
			t.lines = append(t.lines, "EXDATE;VALUE=DATE:"+exception.Format(icsDay))
		}
	}
}

// base returns the wall-clock time of DTSTART.
func (t *icsTodo) base() time.Time {
	if wall, ok := t.walls["start"]; ok {
		return wall
	}
	return t.walls["due"]
}

// ruleForOthers returns the rule as it counts from this occurrence: without the occurrences before it, and with UNTIL in the form of
// DTSTART (RFC 5545, section 3.3.10).
func (t *icsTodo) ruleForOthers() string {
	parts := strings.Split(t.Recurrence.RRule, ";")
	for i, part := range parts {
		name, value, _ := strings.Cut(part, "=")
		switch name {
		case "COUNT":
			if n, err := strconv.Atoi(value); err == nil {
				parts[i] = fmt.Sprintf("COUNT=%d", max(1, n-max(t.OccurrenceNo, 1)+1))
			}
		case "UNTIL":
			parts[i] = "UNTIL=" + t.until(value)
		}
	}
	return strings.Join(parts, ";")
}

func (t *icsTodo) until(value string) string {
	wall, wallErr := time.Parse(icsWall, value)
	utc, utcErr := time.Parse(icsStamp, value)
	day, dayErr := time.Parse(icsDay, value)
	switch {
	case dayErr == nil && t.timed: // all of that day
		return atWall(day.AddDate(0, 0, 1), t.zone).Add(-time.Second).UTC().Format(icsStamp)
	case wallErr == nil && t.timed:
		return atWall(wall, t.zone).UTC().Format(icsStamp)
	case wallErr == nil:
		return wall.Format(icsDay)
	case utcErr == nil && !t.timed:
		return utc.In(t.zone).Format(icsDay)
	}
	return value
}

// alarm writes the reminder. For a recurring task it is relative to DUE, so that other programs remind of every occurrence.
func (t *icsTodo) alarm() {
	if t.RemindAt == nil {
		return
	}
	at := t.RemindAt.UTC().Truncate(time.Second)
	t.add("BEGIN", "VALARM")
	t.add("ACTION", "DISPLAY")
	t.add("DESCRIPTION", icsEscape(t.Title))
	if relative, ok := t.relative(at); ok {
		t.add("TRIGGER;RELATED=END", relative)
	} else {
		t.add("TRIGGER;VALUE=DATE-TIME", at.Format(icsStamp))
	}
	t.add("END", "VALARM")
}

// relative returns the distance of the reminder from the due date, in calendar days and a time. It returns false if the distance does
// not lead back to the reminder, as over a change of the clocks.
func (t *icsTodo) relative(at time.Time) (string, bool) {
	due, ok := t.walls["due"]
	if t.Recurrence == nil || !ok {
		return "", false
	}
	zone := t.zone
	if t.DueDate != "" && t.StartAt == nil { // a day begins in the zone of the task
		var err error
		if zone, err = events.LoadZone(t.Timezone); err != nil {
			return "", false
		}
	}
	distance, sign := wallOf(at, t.RemindClock, zone).Sub(due), 1
	if distance < 0 {
		distance, sign = -distance, -1
	}
	days, rest := int(distance/(24*time.Hour)), distance%(24*time.Hour)
	if !atWall(due.AddDate(0, 0, sign*days), zone).Add(time.Duration(sign)*rest).Equal(at) || rest%time.Second != 0 {
		return "", false
	}
	text := map[int]string{1: "P", -1: "-P"}[sign]
	if days > 0 {
		text += fmt.Sprintf("%dD", days)
	}
	if rest > 0 || days == 0 {
		text += fmt.Sprintf("T%dH%dM%dS", int(rest.Hours()), int(rest.Minutes())%60, int(rest.Seconds())%60)
	}
	return text, true
}
