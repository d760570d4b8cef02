package exchange

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// This file parses values: texts, lists, durations, and dates with times (RFC 5545, section 3.3).

// icsText decodes a value of type TEXT (section 3.3.11).
func icsText(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		if i++; s[i] == 'n' || s[i] == 'N' {
			b.WriteByte('\n')
		} else {
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// icsList decodes a list of TEXT values that are separated by commas.
func icsList(s string) (out []string) {
	start := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case ',':
			out, start = append(out, icsText(s[start:i])), i+1
		}
	}
	return append(out, icsText(s[min(start, len(s)):]))
}

// span is a duration. Its days are days of the calendar, and its exact part is added after them (section 3.3.6): from 9:00, a day
// later is 9:00 again, also if the clocks change in between.
type span struct {
	days  int
	exact time.Duration
}

var (
	spanForm = regexp.MustCompile(`^([+-]?)P(?:(\d{1,6})W)?(?:(\d{1,6})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,6})S)?)?$`)
	timeForm = regexp.MustCompile(`^(\d{4})-?(\d{2})-?(\d{2})(?:[T ](\d{2}):?(\d{2})(?::?(\d{2}))?(?:\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?$`)
)

// icsDuration parses a duration like -PT15M or P1D.
func icsDuration(s string) (span, bool) {
	m := spanForm.FindStringSubmatch(strings.ToUpper(strings.TrimSpace(s)))
	if m == nil || strings.Join(m[2:], "") == "" {
		return span{}, false
	}
	n := func(i int) int { n, _ := strconv.Atoi(m[i]); return n } // the form has only digits there, or nothing
	d := span{
		days:  7*n(2) + n(3),
		exact: time.Duration(n(4))*time.Hour + time.Duration(n(5))*time.Minute + time.Duration(n(6))*time.Second,
	}
	if m[1] == "-" {
		d.days, d.exact = -d.days, -d.exact
	}
	return d, true
}

// wallTime is a date, or a date with a time of day, as it is written.
type wallTime struct {
	wall   time.Time // with UTC as its zone, whatever the zone of the value is
	clock  bool      // it has a time of day
	fixed  bool      // it has an offset, which is in offset
	offset time.Duration
	moved  bool // second 60 was read as 59 (section 3.3.12)
}

// parseTime parses the forms of section 3.3.4 and 3.3.5. It also takes the forms of ISO 8601 that leave no doubt: with hyphens and
// colons, without seconds, with an offset, and 24:00 for the end of a day.
func parseTime(s string) (wallTime, bool) {
	m := timeForm.FindStringSubmatch(strings.ToUpper(strings.TrimSpace(s)))
	if m == nil || m[4] == "" && m[7] != "" {
		return wallTime{}, false
	}
	n := func(i int) int { n, _ := strconv.Atoi(m[i]); return n }
	day := time.Date(n(1), time.Month(n(2)), n(3), 0, 0, 0, 0, time.UTC)
	if day.Year() != n(1) || int(day.Month()) != n(2) || day.Day() != n(3) {
		return wallTime{}, false // there is no such day
	}
	w := wallTime{wall: day, clock: m[4] != ""}
	hour, minute, second := n(4), n(5), n(6)
	if second == 60 {
		second, w.moved = 59, true
	}
	if hour > 24 || minute > 59 || second > 59 || hour == 24 && minute+second > 0 {
		return wallTime{}, false
	}
	w.wall = day.Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute + time.Duration(second)*time.Second)
	if zone := m[7]; zone != "" {
		w.fixed = true
		if zone != "Z" {
			w.offset, _ = parseOffset(zone)
		}
	}
	return w, true
}

var offsetForm = regexp.MustCompile(`^([+-])(\d{2}):?(\d{2})(?::?(\d{2}))?$`)

// parseOffset parses a UTC offset like -0500 (section 3.3.14).
func parseOffset(s string) (time.Duration, bool) {
	m := offsetForm.FindStringSubmatch(strings.TrimSpace(s))
	if m == nil {
		return 0, false
	}
	n := func(i int) int { n, _ := strconv.Atoi(m[i]); return n }
	d := time.Duration(n(2))*time.Hour + time.Duration(n(3))*time.Minute + time.Duration(n(4))*time.Second
	if m[1] == "-" {
		d = -d
	}
	return d, d >= -24*time.Hour && d <= 24*time.Hour
}
