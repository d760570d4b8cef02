package recurrence

import (
	"slices"
	"time"
)

// date is a calendar date without a zone: midnight UTC of that day.
type date struct{ time.Time }

func newDate(year int, month time.Month, day int) date {
	return date{time.Date(year, month, day, 0, 0, 0, 0, time.UTC)}
}

func (d date) plus(days int) date { return date{d.AddDate(0, 0, days)} }

// lastYear is the last year that RFC 3339, and so an event, can express.
const lastYear = 9999

// cycle is the number of periods of a frequency after which the Gregorian calendar repeats: 400 years are exactly 20,871
// weeks. A rule that looks at every INTERVAL-th period sees the same calendar again after at most that many steps. If none of
// them had an occurrence, none ever will.
var cycle = map[frequency]int{yearly: 400, monthly: 400 * 12, weekly: 20_871, daily: 20_871 * 7}

// after returns the first date of the rule after start, counted from start, and reports whether there is one. It ignores
// COUNT and UNTIL.
func (r *Rule) after(start date) (date, bool) {
	rule := r.withDefaults(start)
	for step := range cycle[r.freq] {
		first, days := rule.period(start, step)
		if first.Year() > lastYear {
			break
		}
		for _, d := range rule.expand(first, days) {
			if d.After(start.Time) && d.Year() <= lastYear {
				return d, true
			}
		}
	}
	return date{}, false
}

// withDefaults fills in the parts that the rule takes from its start date.
func (r *Rule) withDefaults(start date) *Rule {
	rule := *r
	if rule.namesDays() {
		return &rule
	}
	switch rule.freq {
	case weekly:
		rule.byDay = []weekdayNo{{0, start.Weekday()}}
	case yearly:
		if len(rule.byMonth) == 0 {
			rule.byMonth = []int{int(start.Month())}
		}
		rule.byMonthDay = []int{start.Day()}
	case monthly:
		rule.byMonthDay = []int{start.Day()}
	case daily:
	}
	return &rule
}

// period returns the first day of the step-th period and its length in days. Period 0 contains start.
func (r *Rule) period(start date, step int) (date, int) {
	n := step * r.interval
	switch r.freq {
	case weekly:
		back := (int(start.Weekday()) - int(r.weekStart) + 7) % 7
		return start.plus(n*7 - back), 7
	case monthly:
		first := newDate(start.Year(), start.Month()+time.Month(n), 1)
		return first, daysIn(first)
	case yearly:
		first := newDate(start.Year()+n, time.January, 1)
		return first, newDate(first.Year(), time.December, 31).YearDay()
	case daily:
	}
	return start.plus(n), 1
}

// expand returns the dates of one period that match the rule, in ascending order.
func (r *Rule) expand(first date, days int) []date {
	var out []date
	for i := range days {
		if d := first.plus(i); r.names(d) {
			out = append(out, d)
		}
	}
	if len(r.bySetPos) == 0 {
		return out
	}
	var chosen []date
	for i, d := range out {
		if slices.Contains(r.bySetPos, i+1) || slices.Contains(r.bySetPos, i-len(out)) {
			chosen = append(chosen, d)
		}
	}
	return chosen
}

// names reports whether d matches every BY part.
func (r *Rule) names(d date) bool {
	if len(r.byMonth) > 0 && !slices.Contains(r.byMonth, int(d.Month())) {
		return false
	}
	if len(r.byMonthDay) > 0 && !containsEither(r.byMonthDay, d.Day(), daysIn(d)) {
		return false
	}
	if len(r.byYearDay) > 0 && !containsEither(r.byYearDay, d.YearDay(), newDate(d.Year(), time.December, 31).YearDay()) {
		return false
	}
	return len(r.byDay) == 0 || slices.ContainsFunc(r.byDay, func(w weekdayNo) bool { return r.isWeekday(w, d) })
}

// isWeekday reports whether d is that weekday. With a number it must be the n-th one of its month or year.
func (r *Rule) isWeekday(w weekdayNo, d date) bool {
	if d.Weekday() != w.day {
		return false
	}
	index, length := d.YearDay(), newDate(d.Year(), time.December, 31).YearDay()
	if r.withinMonth() {
		index, length = d.Day(), daysIn(d)
	}
	switch {
	case w.n > 0:
		return (index-1)/7+1 == w.n
	case w.n < 0:
		return (length-index)/7+1 == -w.n
	}
	return true
}

// containsEither reports whether the list has the position, counted from the start, or from the end as a negative number.
func containsEither(list []int, index, length int) bool {
	return slices.Contains(list, index) || slices.Contains(list, index-length-1)
}

// daysIn returns the number of days in d's month.
func daysIn(d date) int { return newDate(d.Year(), d.Month()+1, 0).Day() }
