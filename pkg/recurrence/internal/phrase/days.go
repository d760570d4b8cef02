package phrase

import (
	"regexp"
	"slices"
	"strings"
	"time"
)

// atom is a part of the days of a recurrence. Its letter tells what it is, so that a regular expression can tell what a list of them
// means: W a weekday, K workdays, E weekends, O an ordinal, N another number, M a month, D the word "day", m "of the month".
type atom struct {
	letter byte
	n      int
}

// atom reads one part.
func (p *parser) atom() (atom, bool) {
	for _, a := range []struct {
		kind   kind
		letter byte
	}{{weekday, 'W'}, {workday, 'K'}, {workdays, 'K'}, {weekend, 'E'}, {weekends, 'E'}, {ordinal, 'O'}, {month, 'M'}, {ofMonth, 'm'}} {
		if n, ok := p.value(a.kind); ok {
			return atom{a.letter, n}, true
		}
	}
	const mostDays = 31
	switch t := p.peek(0); {
	case t.number && t.ordinal && t.n <= mostDays:
		p.at++
		return atom{'O', t.n}, true
	case p.figure() && t.n <= mostDays && !p.is(1, times):
		p.at++
		return atom{'N', t.n}, true
	case p.isUnit(Days) && (p.was(ordinal) || p.peek(-1).ordinal):
		p.at++
		return atom{'D', 0}, true
	}
	return atom{}, false
}

// atoms reads all parts, and what joins them.
func (p *parser) atoms() (list []atom) {
	for {
		mark := p.at
		for p.sign(',') || p.sign('&') || p.take(and) || !p.is(0, at) && p.take(filler) {
		}
		if last := len(list) - 1; last >= 0 && list[last].letter == 'W' && (p.sign('-') || p.take(to)) {
			if end, ok := p.value(weekday); ok { // "mon to fri"
				for day := list[last].n; day != end; {
					day = (day + 1) % 7
					list = append(list, atom{'W', day})
				}
				continue
			}
		}
		a, ok := p.atom()
		if !ok {
			p.at = mark
			return list
		}
		list = append(list, a)
	}
}

var (
	onlyWeekdays  = regexp.MustCompile(`^W+$`)
	onlyDays      = regexp.MustCompile(`^[NO]+m?$`)
	numberedDays  = regexp.MustCompile(`^(O+W+)+(m|M*)$`)
	daysOfMonth   = regexp.MustCompile(`^O+D(m|M*)$`)
	workdayOf     = regexp.MustCompile(`^OK(m|M*)$`)
	datesOfMonths = regexp.MustCompile(`^([NO]+M+)+$|^(M+[NO]+)+$`)
)

// days reads the days of a recurrence, if it names any. The rule has its frequency already, unless the days imply it.
func (p *parser) days(r *Rule) error {
	mark := p.at
	list := p.atoms()
	var letters strings.Builder
	for _, a := range list {
		letters.WriteByte(a.letter)
	}
	kind := letters.String()
	var frequency Frequency
	switch {
	case kind == "" && r.Frequency != "":
		return nil
	case onlyWeekdays.MatchString(kind):
		frequency = Weekly
		for _, a := range list {
			r.addWeekday(Weekday{0, time.Weekday(a.n)})
		}
	case kind == "K":
		frequency, r.Weekdays = Weekly, workweek()
	case kind == "E":
		frequency, r.Weekdays = Weekly, []Weekday{{0, time.Saturday}, {0, time.Sunday}}[:list[0].n]
	case onlyDays.MatchString(kind):
		frequency, r.MonthDays = Monthly, numbers(list, "NO")
	case numberedDays.MatchString(kind):
		frequency = r.monthsOf(list)
		p.numberedWeekdays(r, list)
	case daysOfMonth.MatchString(kind):
		frequency, r.MonthDays = r.monthsOf(list), numbers(list, "O")
	case workdayOf.MatchString(kind):
		frequency, r.Weekdays, r.Position = r.monthsOf(list), workweek(), list[0].n
		if list[0].n > 0 && list[0].n != 1 {
			p.note("is read as workday number %d of the month", list[0].n)
		}
	case datesOfMonths.MatchString(kind):
		frequency = Yearly
		if err := p.dates(r, list); err != nil {
			return err
		}
	default:
		p.at = mark
		return p.stuck()
	}
	return r.agree(frequency)
}

// agree checks the frequency that the days imply against the one that the phrase names.
func (r *Rule) agree(frequency Frequency) error {
	switch {
	case r.Frequency == "" && (frequency == Weekly || r.Interval == 1):
		r.Frequency = frequency
	case r.Frequency == frequency:
	default:
		return errorf("combines days and a frequency that do not belong together")
	}
	return nil
}

// monthsOf takes the months of the list, and returns the frequency that follows.
func (r *Rule) monthsOf(list []atom) Frequency {
	for _, n := range numbers(list, "M") {
		r.Months = append(r.Months, time.Month(n))
	}
	if len(r.Months) > 0 {
		return Yearly
	}
	return Monthly
}

func (r *Rule) addWeekday(w Weekday) {
	if !slices.Contains(r.Weekdays, w) {
		r.Weekdays = append(r.Weekdays, w)
	}
}

// numberedWeekdays takes "1st and 3rd friday": each number belongs to each of the weekdays that follow it.
func (p *parser) numberedWeekdays(r *Rule, list []atom) {
	var ns []int
	fresh := true
	for _, a := range list {
		switch a.letter {
		case 'O':
			if !fresh {
				ns, fresh = nil, true
			}
			ns = append(ns, a.n)
		case 'W':
			fresh = false
			for _, n := range ns {
				r.addWeekday(Weekday{n, time.Weekday(a.n)})
			}
		}
	}
	if p.language != English && len(ns) == 1 && ns[0] == 2 {
		p.note("is read as the second one of each month") // "jeden zweiten Montag" can mean every other Monday
	}
}

// dates takes days with their months: "27 jan", "jan 1 and 15", "14 jan, 14 apr". One rule has every day in every month.
func (p *parser) dates(r *Rule, list []atom) error {
	type dayOfYear struct{ month, day int }
	var named []dayOfYear
	for len(list) > 0 {
		group := list[:endOfRun(list, endOfRun(list, 0))] // days and then their months, or the other way round
		list = list[len(group):]
		for _, m := range numbers(group, "M") {
			for _, d := range numbers(group, "NO") {
				named = append(named, dayOfYear{m, d})
			}
		}
		if len(numbers(group, "M")) > 1 {
			p.note("is read as the same days in each of the months")
		}
	}
	for _, d := range named {
		if !slices.Contains(r.Months, time.Month(d.month)) {
			r.Months = append(r.Months, time.Month(d.month))
		}
		if !slices.Contains(r.MonthDays, d.day) {
			r.MonthDays = append(r.MonthDays, d.day)
		}
	}
	for _, m := range r.Months {
		for _, d := range r.MonthDays {
			if !slices.Contains(named, dayOfYear{int(m), d}) {
				return errorf("names different days in different months, which one rule does not express")
			}
		}
	}
	return nil
}

// endOfRun returns the index after the months, or after the days, that begin at the index.
func endOfRun(list []atom, from int) int {
	to := from
	for to < len(list) && (list[to].letter == 'M') == (list[from].letter == 'M') {
		to++
	}
	return to
}

// numbers returns the numbers of the atoms that have one of the letters.
func numbers(list []atom, letters string) (out []int) {
	for _, a := range list {
		if strings.IndexByte(letters, a.letter) >= 0 && !slices.Contains(out, a.n) {
			out = append(out, a.n)
		}
	}
	return out
}
