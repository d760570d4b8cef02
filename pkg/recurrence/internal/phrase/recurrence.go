package phrase

import "time"

// workweek returns the days that a weekday or workday can be.
func workweek() (days []Weekday) {
	for day := time.Monday; day <= time.Friday; day++ {
		days = append(days, Weekday{0, day})
	}
	return days
}

// recurrence reads how often, and on which days. It reports whether the phrase is a recurrence.
func (p *parser) recurrence() (bool, error) {
	r := &Rule{Interval: 1}
	p.spec.Rule = r
	switch mark := p.at; {
	case p.take(every):
		r.Completion = p.sign('!')
		return true, p.everyWhat(r)
	case p.take(after): // "after 10 days" is the same as "every! 10 days"
		if n, ok := p.amount(); ok {
			if u, ok := p.value(unit); ok {
				r.Completion = true
				return true, r.period(Unit(u), n)
			}
		}
		p.at = mark
	case p.is(0, adverb):
		n, _ := p.value(adverb)
		r.Frequency, r.Interval = adverbs[n].frequency, adverbs[n].interval
		r.Completion = p.sign('!')
		return true, p.days(r)
	case p.alone():
		return true, p.days(r)
	}
	p.spec.Rule = nil
	return false, nil
}

// alone reports whether a word follows that is a recurrence without "every": "weekdays", "on mondays".
func (p *parser) alone() bool {
	ahead := 0
	if p.is(0, filler) {
		ahead = 1
	}
	return p.is(ahead, workdays, weekends, plural)
}

// everyWhat reads what follows "every".
func (p *parser) everyWhat(r *Rule) error {
	mark, n := p.at, 1
	if p.take(other) {
		n = 2
	} else if amount, ok := p.amount(); ok {
		n = amount
	} else if i, ok := p.ordinal(); ok {
		n = i
	}
	counted := p.at > mark
	ordinal := counted && (p.was(ordinal) || p.peek(-1).ordinal)
	switch {
	case ordinal && !p.is(0, unit) || ordinal && n < 2 || ordinal && p.is(1, ofMonth):
		p.at = mark // it numbers a day of the month: "every last day"
		return p.days(r)
	case p.is(0, unit):
		if ordinal && p.isUnit(Days) {
			p.note("is read as every %d days", n)
		}
		u, _ := p.value(unit)
		if err := r.period(Unit(u), n); err != nil {
			return err
		}
		return p.days(r)
	case p.is(0, dayPart): // "every evening": the modifiers read the word
		return r.period(Days, n)
	case counted && p.is(0, workday, workdays):
		return p.everyFewWorkdays(r, n)
	case n == 2 && p.is(-1, other):
		r.Interval = 2
		return p.days(r)
	}
	p.at = mark
	return p.days(r)
}

// everyFewWorkdays reads "every 15 workdays": three weeks. No rule expresses a number of workdays that is not whole weeks.
func (p *parser) everyFewWorkdays(r *Rule, n int) error {
	_ = p.take(workday) || p.take(workdays)
	week := len(workweek())
	switch {
	case n == 1:
		r.Frequency, r.Weekdays = Weekly, workweek()
		return nil
	case n < 1 || n%week != 0:
		return errorf("means every %d workdays, which no rule expresses", n)
	}
	p.note("is read as every %d weeks", n/week)
	r.Frequency, r.Interval, r.Workday = Weekly, n/week, true
	return nil
}

// period sets the frequency of "every n units".
func (r *Rule) period(u Unit, n int) error {
	if n < 1 {
		return errorf("names an interval of %d", n)
	}
	r.Interval = n
	switch u {
	case Hours:
		return errorf("recurs more often than daily, which tasks do not")
	case Days:
		r.Frequency = Daily
	case Weeks:
		r.Frequency = Weekly
	case Months:
		r.Frequency = Monthly
	case Quarters:
		r.Frequency, r.Interval = Monthly, 3*n
	case Years:
		r.Frequency = Yearly
	}
	return nil
}

func (p *parser) note(format string, args ...any) {
	p.spec.Notes = append(p.spec.Notes, errorf(format, args...).Reason)
}

// ordinal reads "3rd" or "third".
func (p *parser) ordinal() (int, bool) {
	if t := p.peek(0); t.number && t.ordinal {
		p.at++
		return t.n, true
	}
	return p.value(ordinal)
}
