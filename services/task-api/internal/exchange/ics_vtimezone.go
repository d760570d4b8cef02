package exchange

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// This file writes a VTIMEZONE (RFC 5545, section 3.6.5) from the zone database of Go.

const (
	// firstZoneYear is the first year for which a VTIMEZONE is right. Earlier instants are written in UTC.
	firstZoneYear = 2000
	// lastZoneYear ends the search for changes of the clocks. A rule that holds for all years from some year up to here is written as
	// a rule without an end: 28 years have each weekday on each date. Other zones, as Morocco's, have single dates up to here.
	lastZoneYear = 2087
)

// hasVTimezone reports whether an instant is in the years of a VTIMEZONE.
func hasVTimezone(at time.Time) bool { return at.Year() > firstZoneYear && at.Year() < lastZoneYear }

// clockChange is a change of the clocks.
type clockChange struct {
	at       time.Time // the wall-clock time before the change
	from, to int       // the offsets in seconds
	name     string
	dst      bool
}

// observance returns the changes of one kind.
func (c clockChange) observance() clockChange { c.at = time.Time{}; return c }

// clockChanges returns the changes of a zone. Time.ZoneBounds of Go 1.26 also returns the last midnight (UTC) of a leap year after
// 2037, at which nothing changes, and returns it again from there on: such a bound is passed over by an hour.
func clockChanges(zone *time.Location) (out []clockChange) {
	at := time.Date(firstZoneYear, 1, 1, 0, 0, 0, 0, time.UTC)
	for {
		_, end := at.In(zone).ZoneBounds()
		if end.IsZero() || end.Year() > lastZoneYear {
			return out
		}
		if !end.After(at) {
			at = at.Add(time.Hour)
			continue
		}
		was, from := end.Add(-time.Second).In(zone).Zone()
		name, to := end.In(zone).Zone()
		if from != to || was != name {
			out = append(out, clockChange{end.UTC().Add(time.Duration(from) * time.Second), from, to, name, end.In(zone).IsDST()})
		}
		at = end
	}
}

func writeVTimezone(b *strings.Builder, zone *time.Location) {
	fold(b, "BEGIN:VTIMEZONE")
	fold(b, "TZID:"+zone.String())
	begin := time.Date(firstZoneYear, 1, 1, 0, 0, 0, 0, time.UTC)
	name, offset := begin.In(zone).Zone()
	writeObservance(b, clockChange{begin, offset, offset, name, begin.In(zone).IsDST()})
	changes := clockChanges(zone)
	var kinds []clockChange
	for _, c := range changes {
		if !slices.Contains(kinds, c.observance()) {
			kinds = append(kinds, c.observance())
		}
	}
	for _, kind := range kinds {
		var list []clockChange
		for _, c := range changes {
			if c.observance() == kind {
				list = append(list, c)
			}
		}
		single, first, rule := yearly(list)
		if len(single) > 0 {
			dates := make([]string, len(single)) // a line each: ical.js reads only the first value of a line
			for i, c := range single {
				dates[i] = "RDATE:" + c.at.Format(icsWall)
			}
			writeObservance(b, single[0], dates...)
		}
		if rule != "" {
			writeObservance(b, first, "RRULE:"+rule)
		}
	}
	fold(b, "END:VTIMEZONE")
}

func writeObservance(b *strings.Builder, c clockChange, recurs ...string) {
	kind := "STANDARD"
	if c.dst {
		kind = "DAYLIGHT"
	}
	fold(b, "BEGIN:"+kind)
	fold(b, "DTSTART:"+c.at.Format(icsWall))
	fold(b, "TZOFFSETFROM:"+icsOffset(c.from))
	fold(b, "TZOFFSETTO:"+icsOffset(c.to))
	fold(b, "TZNAME:"+icsEscape(c.name))
	for _, line := range recurs {
		fold(b, line)
	}
	fold(b, "END:"+kind)
}

func icsOffset(seconds int) string {
	sign := '+'
	if seconds < 0 {
		sign, seconds = '-', -seconds
	}
	text := fmt.Sprintf("%c%02d%02d", sign, seconds/3600, seconds/60%60)
	if seconds%60 != 0 {
		text += fmt.Sprintf("%02d", seconds%60)
	}
	return text
}

// yearly finds the years up to the last one in which a change follows one rule. It returns the changes before them as single ones.
func yearly(list []clockChange) (single []clockChange, first clockChange, rule string) {
	begin := len(list)
	for i := len(list) - 1; i >= 0; i-- {
		c, year := list[i].at, lastZoneYear-(len(list)-1-i)
		if last := list[len(list)-1].at; c.Year() != year || c.Month() != last.Month() || c.Weekday() != last.Weekday() || clockText(c) != clockText(last) || spread(list[i:]) > 6 {
			break
		}
		begin = i
	}
	const cycle = 28
	if len(list)-begin < cycle {
		return list, first, ""
	}
	return list[:begin], list[begin], yearlyRule(list[begin:])
}

func clockText(t time.Time) string { return t.Format("150405") }

// spread returns the distance between the earliest and the latest day of the month.
func spread(list []clockChange) int {
	lo, hi := bounds(list)
	return hi - lo
}

func bounds(list []clockChange) (lo, hi int) {
	lo = 31
	for _, c := range list {
		lo, hi = min(lo, c.at.Day()), max(hi, c.at.Day())
	}
	return lo, hi
}

// yearlyRule returns the rule of changes that are on one weekday of seven days of a month.
func yearlyRule(list []clockChange) string {
	at := list[0].at
	lo, hi := bounds(list)
	rule := fmt.Sprintf("FREQ=YEARLY;BYMONTH=%d", int(at.Month()))
	day := weekdays[at.Weekday()]
	switch {
	case hi == time.Date(at.Year(), at.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day() && at.Month() != time.February:
		return rule + ";BYDAY=-1" + day
	case lo%7 == 1:
		return rule + fmt.Sprintf(";BYDAY=%d%s", lo/7+1, day)
	}
	days := make([]string, 0, 7)
	for d := lo; d <= lo+6; d++ {
		days = append(days, strconv.Itoa(d))
	}
	return rule + ";BYDAY=" + day + ";BYMONTHDAY=" + strings.Join(days, ",")
}
