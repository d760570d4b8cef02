package recurrence

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

var weekdays = []string{"SU", "MO", "TU", "WE", "TH", "FR", "SA"}

// Parse reads a rule without the "RRULE:" prefix, for example FREQ=WEEKLY;BYDAY=MO,TH. Upper and lower case are equal. The
// error is an *Error.
func Parse(text string) (Rule, error) { return parse(text, nil) }

// parse is Parse with a counter of steps; see Rule.
func parse(text string, steps *int) (Rule, error) {
	r := Rule{interval: 1, weekStart: time.Monday, steps: steps}
	if err := r.parse(text); err != nil {
		return Rule{}, err
	}
	return r, nil
}

func (r *Rule) parse(text string) error {
	if text == "" {
		return &Error{"", "is empty"}
	}
	if len(text) > events.MaxRRule {
		return &Error{"", fmt.Sprintf("has more than %d characters", events.MaxRRule)}
	}
	upper := strings.ToUpper(text)
	if strings.HasPrefix(upper, "RRULE:") || strings.HasPrefix(upper, "DTSTART") || strings.ContainsAny(upper, "\r\n") {
		return &Error{"", "must be a single rule, without RRULE: or DTSTART (the due date is the start)"}
	}
	seen := map[string]bool{}
	for part := range strings.SplitSeq(upper, ";") {
		name, value, ok := strings.Cut(part, "=")
		if !ok || value == "" {
			return &Error{"", "must be parts like FREQ=DAILY, separated by semicolons"}
		}
		if seen[name] {
			return &Error{name, "occurs twice in the rule"}
		}
		seen[name] = true
		if err := r.set(name, value); err != nil {
			return err
		}
	}
	return r.check()
}

// set reads one part.
func (r *Rule) set(name, value string) error {
	var err error
	switch name {
	case "FREQ":
		r.freq, err = parseFrequency(value)
	case "INTERVAL":
		r.interval, err = number(name, value, 1, MaxInterval)
	case "COUNT":
		r.count, err = number(name, value, 1, MaxCount)
	case "UNTIL":
		r.until, r.untilTime, err = parseUntil(value)
	case "WKST":
		i := slices.Index(weekdays, value)
		if i < 0 {
			return &Error{name, "must be one of MO, TU, WE, TH, FR, SA, SU"}
		}
		r.weekStart = time.Weekday(i)
	case "BYMONTH":
		r.byMonth, err = list(name, value, 1, 12, false)
	case "BYMONTHDAY":
		r.byMonthDay, err = list(name, value, 1, 31, true)
	case "BYYEARDAY":
		r.byYearDay, err = list(name, value, 1, 366, true)
	case "BYSETPOS":
		r.bySetPos, err = list(name, value, 1, 366, true)
	case "BYDAY":
		r.byDay, err = parseByDay(value)
	case "BYHOUR", "BYMINUTE", "BYSECOND":
		return &Error{name, "is not supported: the time of day comes from due_at"}
	case "BYWEEKNO":
		return &Error{name, "is not supported"}
	default:
		return &Error{"", "has a part that RFC 5545 does not know"}
	}
	return err
}

func parseFrequency(s string) (frequency, error) {
	switch f := frequency(s); f {
	case daily, weekly, monthly, yearly:
		return f, nil
	case "SECONDLY", "MINUTELY", "HOURLY":
		return "", &Error{"FREQ", "must be DAILY, WEEKLY, MONTHLY or YEARLY: tasks do not recur more often than daily"}
	default:
		return "", &Error{"FREQ", "must be DAILY, WEEKLY, MONTHLY or YEARLY"}
	}
}

// number parses a whole number from lo to hi.
func number(name, s string, lo, hi int) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < lo || n > hi || s[0] == '+' {
		return 0, &Error{name, fmt.Sprintf("must be a whole number from %d to %d", lo, hi)}
	}
	return n, nil
}

// list parses numbers separated by commas, sorts them and removes duplicates. With signed, negative numbers are valid too.
func list(name, s string, lo, hi int, signed bool) ([]int, error) {
	var out []int
	for word := range strings.SplitSeq(s, ",") {
		n, err := strconv.Atoi(word)
		if abs := max(n, -n); err != nil || abs < lo || abs > hi || (n < 0 && !signed) {
			if signed {
				return nil, &Error{name, fmt.Sprintf("must be whole numbers from %d to %d, or -%d to -%d from the end", lo, hi, hi, lo)}
			}
			return nil, &Error{name, fmt.Sprintf("must be whole numbers from %d to %d", lo, hi)}
		}
		if out = append(out, n); len(out) > MaxValues {
			return nil, &Error{name, "has too many values"}
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

func parseByDay(s string) ([]weekdayNo, error) {
	var out []weekdayNo
	for word := range strings.SplitSeq(s, ",") {
		bad := &Error{"BYDAY", "must be weekdays like MO, or 2MO and -1FR for the second and the last of a month"}
		if len(word) < 2 {
			return nil, bad
		}
		day := slices.Index(weekdays, word[len(word)-2:])
		if day < 0 {
			return nil, bad
		}
		n := 0
		if ordinal := word[:len(word)-2]; ordinal != "" {
			var err error
			if n, err = strconv.Atoi(ordinal); err != nil || n == 0 || n < -53 || n > 53 {
				return nil, bad
			}
		}
		if out = append(out, weekdayNo{n, time.Weekday(day)}); len(out) > MaxValues {
			return nil, &Error{"BYDAY", "has too many values"}
		}
	}
	return out, nil
}

func parseUntil(s string) (untilKind, time.Time, error) {
	for _, f := range []struct {
		layout string
		kind   untilKind
	}{{"20060102", untilDay}, {"20060102T150405Z", untilInstant}, {"20060102T150405", untilClock}} {
		if t, err := time.Parse(f.layout, s); err == nil && t.Year() >= 1 {
			return f.kind, t, nil
		}
	}
	return untilNone, time.Time{}, &Error{"UNTIL", "must be a day (20301231) or an instant (20301231T235959Z)"}
}

// check refuses combinations of parts that RFC 5545 does not allow (section 3.3.10: the table and the text around it).
func (r *Rule) check() error {
	if r.freq == "" {
		return &Error{"FREQ", "is missing"}
	}
	if r.count > 0 && r.until != untilNone {
		return &Error{"COUNT", "and UNTIL exclude each other"}
	}
	if len(r.byYearDay) > 0 && r.freq != yearly {
		return &Error{"BYYEARDAY", "needs FREQ=YEARLY"}
	}
	if len(r.byMonthDay) > 0 && r.freq == weekly {
		return &Error{"BYMONTHDAY", "cannot be combined with FREQ=WEEKLY"}
	}
	if len(r.bySetPos) > 0 && !r.namesDays() && len(r.byMonth) == 0 {
		return &Error{"BYSETPOS", "needs another BY part to choose from"}
	}
	for _, d := range r.byDay {
		switch {
		case d.n == 0:
		case r.freq != monthly && r.freq != yearly:
			return &Error{"BYDAY", "may have numbers only with FREQ=MONTHLY or FREQ=YEARLY"}
		case r.withinMonth() && max(d.n, -d.n) > 5:
			return &Error{"BYDAY", "must not count beyond the fifth weekday of a month"}
		}
	}
	if !r.everOccurs() {
		return &Error{"", "names days that do not exist in any calendar"}
	}
	return nil
}

// withinMonth reports whether a numbered weekday is counted within the month, and not within the year.
func (r *Rule) withinMonth() bool { return r.freq == monthly || len(r.byMonth) > 0 }

// everOccurs reports whether the days that the rule names exist (30 February does not). It ignores INTERVAL and the start,
// which depend on the task.
func (r *Rule) everOccurs() bool {
	start := newDate(2000, time.January, 1)
	p := r.pattern(start, false)
	p.interval = 1
	_, ok := newWalk(p, start, start).date()
	return ok
}
