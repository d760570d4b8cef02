package recurrence

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/recurrence/internal/phrase"
)

// rule makes the rule of the phrase and finds its first occurrence.
func (r *textReader) rule() error {
	words := *r.spec.Rule
	r.out.Anchor, r.out.Starts = events.AnchorSchedule, r.spec.Day != nil
	if words.Completion {
		r.out.Anchor = events.AnchorCompletion
	}
	if words.Workday {
		for r.day.Weekday() == time.Saturday || r.day.Weekday() == time.Sunday {
			r.day = r.day.AddDate(0, 0, 1)
		}
	}
	days := dayParts(words)
	if days == nil {
		days = r.everyPeriod(words)
	} else {
		r.noteRareDays(words)
	}
	named := len(days) > 0
	nearest := ruleText(words.Frequency, 1, days)
	stepped := ruleText(words.Frequency, words.Interval, days)
	first := r.day
	if named {
		day, err := dayAfter(nearest, r.day.AddDate(0, 0, -1))
		if err != nil {
			return err
		}
		first = day
	}
	if !r.fixed && r.passed(first) && !first.Before(r.today) {
		by := stepped // "every week at 9am" at ten: in a week
		if named {
			by = nearest // "every other friday at 9am" on a Friday at ten: next Friday
		}
		day, err := dayAfter(by, first)
		if err != nil {
			return err
		}
		first = day
	}
	end, until, err := r.end(words, first)
	if err != nil {
		return err
	}
	if !r.fixed && first.Before(r.today) && words.Count == 0 && (until.IsZero() || !until.Before(r.today)) {
		began := first
		if first, err = r.continues(words, stepped, first); err != nil {
			return err
		}
		r.out.Notes = append(r.out.Notes, fmt.Sprintf("began on %s and continues on %s", began.Format(time.DateOnly), first.Format(time.DateOnly)))
	}
	r.set(first)
	if !until.IsZero() {
		r.out.Until = until.Format(time.DateOnly)
	}
	r.out.RRule = stepped + end
	_, err = parsePart(r.out.RRule)
	return err
}

// parsePart is Parse with an error that shows the rule that the phrase gave.
func parsePart(rule string) (Rule, error) {
	parsed, err := Parse(rule)
	if err != nil {
		return parsed, &Error{"", fmt.Sprintf("means the rule %s, whose %s", rule, err)}
	}
	return parsed, nil
}

// end returns the part of the rule that ends it, and the last day if there is one.
func (r *textReader) end(words phrase.Rule, first time.Time) (part string, until time.Time, err error) {
	switch {
	case words.Count > 0:
		return ";COUNT=" + strconv.Itoa(words.Count), until, nil
	case words.During.N > 0: // three weeks are 21 days, with the first one
		until = words.During.From(first).AddDate(0, 0, -1)
	case words.Until != nil:
		from := first
		if words.Until.Fixed() {
			from = r.today
		}
		day, ok := words.Until.On(r.today, from)
		if !ok {
			return "", until, &Error{"", "ends on a day that the calendar does not have"}
		}
		until = day
	default:
		return "", until, nil
	}
	if until.Before(first) {
		return "", until, &Error{"", fmt.Sprintf("ends on %s, before its first day %s", until.Format(time.DateOnly), first.Format(time.DateOnly))}
	}
	return ";UNTIL=" + until.Format("20060102"), until, nil
}

// everyPeriod returns the parts that keep a rule without named days from leaving out periods: months without a 31st, years without
// a 29 February. With the anchor completion there is no such series of days.
func (r *textReader) everyPeriod(words phrase.Rule) []string {
	const shortest = 28 // days of February
	day := r.day.Day()
	switch {
	case words.Completion || day <= shortest:
	case words.Frequency == phrase.Monthly:
		var days []string
		for d := shortest; d <= day; d++ {
			days = append(days, strconv.Itoa(d))
		}
		return []string{"BYMONTHDAY=" + strings.Join(days, ","), "BYSETPOS=-1"}
	case words.Frequency == phrase.Yearly && r.day.Month() == time.February:
		return []string{"BYMONTH=2", "BYMONTHDAY=-1"}
	}
	return nil
}

// noteRareDays says which periods the named days leave out.
func (r *textReader) noteRareDays(words phrase.Rule) {
	switch last := slices.Max(append([]int{0}, words.MonthDays...)); {
	case slices.Contains(words.Months, time.February) && last == 29:
		r.out.Notes = append(r.out.Notes, "comes only in leap years")
	case len(words.Months) == 0 && last > 28:
		r.out.Notes = append(r.out.Notes, fmt.Sprintf("leaves out the months that have no day %d", last))
	}
}

// dayParts returns the BY parts of the days that the phrase names.
func dayParts(words phrase.Rule) (parts []string) {
	add := func(name string, values []string) {
		if len(values) > 0 {
			parts = append(parts, name+"="+strings.Join(values, ","))
		}
	}
	var months, monthDays, weekDays []string
	slices.Sort(words.Months)
	slices.Sort(words.MonthDays)
	slices.SortFunc(words.Weekdays, func(a, b phrase.Weekday) int { // Monday first, as most rules are written
		return cmp.Or(cmp.Compare((a.Day+6)%7, (b.Day+6)%7), cmp.Compare(a.N, b.N))
	})
	for _, m := range words.Months {
		months = append(months, strconv.Itoa(int(m)))
	}
	for _, d := range words.MonthDays {
		monthDays = append(monthDays, strconv.Itoa(d))
	}
	for _, w := range words.Weekdays {
		name := weekdays[w.Day]
		if w.N != 0 {
			name = strconv.Itoa(w.N) + name
		}
		weekDays = append(weekDays, name)
	}
	add("BYMONTH", months)
	add("BYMONTHDAY", monthDays)
	add("BYDAY", weekDays)
	if words.Position != 0 {
		add("BYSETPOS", []string{strconv.Itoa(words.Position)})
	}
	return parts
}

func ruleText(frequency phrase.Frequency, interval int, days []string) string {
	parts := []string{"FREQ=" + string(frequency)}
	if interval != 1 {
		parts = append(parts, "INTERVAL="+strconv.Itoa(interval))
	}
	return strings.Join(append(parts, days...), ";")
}

// dayAfter returns the first day of a rule after day, counted from day.
func dayAfter(rule string, day time.Time) (time.Time, error) {
	parsed, err := parsePart(rule)
	if err != nil {
		return time.Time{}, err
	}
	next, ok := Next(parsed, events.AnchorSchedule, time.UTC, Occurrence{No: 1, Date: day.Format(time.DateOnly)}, time.Time{})
	if !ok {
		return time.Time{}, &Error{"", "names days that do not occur"}
	}
	return time.Parse(time.DateOnly, next.Date)
}

// continues returns the first occurrence of a series that is not over. The series began with first, before today.
func (r *textReader) continues(words phrase.Rule, rule string, first time.Time) (time.Time, error) {
	day := nearToday(words, first, r.today)
	for day.Before(r.today) || r.passed(day) {
		var err error
		if day, err = dayAfter(rule, day); err != nil {
			return time.Time{}, err
		}
	}
	return day, nil
}

// nearToday returns a day in a period of the series that is at most two intervals before today, so that few steps remain.
func nearToday(words phrase.Rule, first, today time.Time) time.Time {
	days, interval := int(today.Sub(first).Hours()/24), words.Interval
	months := (today.Year()-first.Year())*12 + int(today.Month()-first.Month())
	named := words.Position != 0 || len(words.MonthDays)+len(words.Weekdays)+len(words.Months) > 0 || first.Day() > 28
	skip := func(periods int) int { return max(0, periods/interval-1) * interval }
	switch words.Frequency {
	case phrase.Daily:
		return first.AddDate(0, 0, skip(days))
	case phrase.Weekly:
		return first.AddDate(0, 0, 7*skip(days/7))
	case phrase.Monthly:
		n := skip(months)
		if n == 0 || !named {
			return first.AddDate(0, n, 0)
		}
		return time.Date(first.Year(), first.Month()+time.Month(n)+1, 0, 0, 0, 0, 0, time.UTC)
	case phrase.Yearly:
		n := skip(today.Year() - first.Year())
		if n == 0 || !named {
			return first.AddDate(n, 0, 0)
		}
		return time.Date(first.Year()+n, time.December, 31, 0, 0, 0, 0, time.UTC)
	}
	return first
}
