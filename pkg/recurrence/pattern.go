package recurrence

import "time"

// pattern says which days of a period match a rule. A period is what one INTERVAL counts: a day, a week from WKST, a month or
// a year. Periods are numbered without gaps; see number.
type pattern struct {
	freq      frequency
	interval  int
	weekStart time.Weekday
	months    numbers // all twelve if the rule names none
	monthDays positions
	yearDays  positions
	weekdays  numbers      // by time.Weekday: each of them matches
	ordinals  [7]positions // by time.Weekday: the n-th of its month or year
	byDay     bool         // false: weekdays and ordinals do not matter
	byMonth   bool
	inMonth   bool // ordinals count within the month, and not within the year
	setPos    positions
	clampTo   int // not 0: this day of the month, or the month's last day if it is shorter

	monthLists [4][7][]int // the matches of a month by its length, less 28, and its first weekday; nil: not computed yet
	yearLists  [2][7][]int // the matches of a year by its length, less 365, and its first weekday
	week       [7]int      // where ofWeek writes
	steps      *int        // counts the periods and days looked at, for tests; nil: does not count
}

// pattern returns the rule with the parts that it leaves out taken from a date (RFC 5545: from DTSTART): the weekday of a WEEKLY
// rule, the day of a MONTHLY one, month and day of a YEARLY one. With clamp, the day is the last day of a shorter month.
func (r *Rule) pattern(from date, clamp bool) *pattern {
	p := &pattern{
		freq: r.freq, interval: r.interval, weekStart: r.weekStart, inMonth: r.withinMonth(), steps: r.steps,
		monthDays: newPositions(r.byMonthDay), yearDays: newPositions(r.byYearDay), setPos: newPositions(r.bySetPos),
		byDay: len(r.byDay) > 0, byMonth: len(r.byMonth) > 0,
	}
	for _, w := range r.byDay {
		if w.n == 0 {
			p.weekdays.add(int(w.day))
		} else {
			p.ordinals[w.day].add(w.n)
		}
	}
	_, month, day := from.split()
	for _, m := range r.byMonth {
		p.months.add(m)
	}
	if !r.namesDays() {
		switch {
		case r.freq == weekly:
			p.byDay = true
			p.weekdays.add(int(from.weekday()))
		case r.freq == yearly && !p.byMonth:
			p.byMonth = true
			p.months.add(int(month))
			p.dayOfMonth(day, clamp)
		case r.freq == monthly || r.freq == yearly:
			p.dayOfMonth(day, clamp)
		}
	}
	for m := 1; m <= 12 && !p.byMonth; m++ {
		p.months.add(m)
	}
	return p
}

func (p *pattern) dayOfMonth(day int, clamp bool) {
	if clamp {
		p.clampTo = day
	} else {
		p.monthDays.add(day)
	}
}

func (p *pattern) step(n int) {
	if p.steps != nil {
		*p.steps += n
	}
}

// number returns the number of the period that has the date.
func (p *pattern) number(d date) int {
	switch p.freq {
	case weekly:
		return floorDiv(int(d)+int(time.Thursday)-int(p.weekStart), 7)
	case monthly:
		year, month, _ := d.split()
		return year*12 + int(month) - 1
	case yearly:
		year, _, _ := d.split()
		return year
	default:
		return int(d)
	}
}

// first returns the first date of a period.
func (p *pattern) first(number int) date {
	switch p.freq {
	case weekly:
		return date(number*7 - int(time.Thursday) + int(p.weekStart))
	case monthly:
		return newDate(number/12, time.Month(number%12+1), 1)
	case yearly:
		return newDate(number, time.January, 1)
	default:
		return date(number)
	}
}

// matches returns the matching days of a period, as offsets from its first date; they are valid until the next call. It also returns
// the number of the next period to look at: those between cannot match.
func (p *pattern) matches(number int) (first date, offsets []int, next int) {
	p.step(1)
	first, next = p.first(number), number+1
	switch p.freq {
	case yearly:
		offsets = p.ofYear(number, first.weekday())
	case monthly:
		if month := number%12 + 1; p.months.has(month) {
			offsets = p.ofMonth(daysInMonth(number/12, time.Month(month)), first.weekday())
		}
	case weekly:
		if offsets = p.ofWeek(first); len(offsets) == 0 && p.byMonth {
			next = max(next, p.number(p.wantedMonth(first)))
		}
	default:
		offsets, next = p.ofDay(first)
	}
	return first, offsets, next
}

// wantedMonth returns the first date from d on whose month the rule allows.
func (p *pattern) wantedMonth(d date) date {
	year, month, _ := d.split()
	if p.months.has(int(month)) {
		return d
	}
	for range 12 {
		if month++; month > time.December {
			year, month = year+1, time.January
		}
		if p.months.has(int(month)) {
			break
		}
	}
	return newDate(year, month, 1)
}

// ofDay returns the match of the period that is the day d, if there is one, and the number of the next day to look at.
func (p *pattern) ofDay(d date) ([]int, int) {
	year, month, day := d.split()
	if !p.months.has(int(month)) {
		return nil, int(p.wantedMonth(d))
	}
	first, length := d-date(day-1), daysInMonth(year, month)
	for _, i := range p.ofMonth(length, first.weekday()) {
		switch {
		case i == day-1:
			return onlyFirst, int(d) + 1
		case i > day-1:
			return nil, int(first) + i
		}
	}
	return nil, int(first) + length
}

// onlyFirst is the first day of a period alone.
var onlyFirst = []int{0}

// ofWeek returns the matches of the week that begins with first.
func (p *pattern) ofWeek(first date) []int {
	out := p.week[:0]
	month, left := time.Month(0), 7 // days until the next month
	if p.byMonth {
		var year, day int
		year, month, day = first.split()
		left = daysInMonth(year, month) - day + 1
	}
	for i := range 7 {
		if i == left {
			month = month%12 + 1
		}
		if (!p.byMonth || p.months.has(int(month))) && p.weekdays.has((int(p.weekStart)+i)%7) {
			out = append(out, i)
		}
	}
	return p.choose(out)
}

// ofMonth returns the matches of a month with that length and that weekday as its first.
func (p *pattern) ofMonth(length int, first time.Weekday) []int {
	list := &p.monthLists[length-28][first]
	if *list == nil {
		p.step(length)
		*list = []int{}
		for day := 1; day <= length; day++ {
			if p.hasDay(day, length) && p.hasWeekday(first, day, length) {
				*list = append(*list, day-1)
			}
		}
		if p.freq == monthly { // of a DAILY rule, the period is the day
			*list = p.choose(*list)
		}
	}
	return *list
}

// ofYear returns the matches of a year that begins with that weekday.
func (p *pattern) ofYear(year int, first time.Weekday) []int {
	days := daysInYear(year)
	list := &p.yearLists[days-365][first]
	if *list != nil {
		return *list
	}
	p.step(days)
	*list = []int{}
	yearDay := 0
	for month := time.January; month <= time.December; month++ {
		length := daysInMonth(year, month)
		for day := 1; day <= length; day++ {
			yearDay++
			weekday := time.Weekday((int(first) + yearDay - 1) % 7)
			if !p.months.has(int(month)) || !p.hasDay(day, length) || (p.yearDays.given && !p.yearDays.has(yearDay, days)) {
				continue
			}
			if p.inMonth && p.hasWeekday(weekday-time.Weekday((day-1)%7)+7, day, length) || !p.inMonth && p.hasWeekday(first, yearDay, days) {
				*list = append(*list, yearDay-1)
			}
		}
	}
	*list = p.choose(*list)
	return *list
}

// hasDay reports whether the day of a month with that length is one that the rule names.
func (p *pattern) hasDay(day, length int) bool {
	if p.clampTo > 0 {
		return day == min(p.clampTo, length)
	}
	return !p.monthDays.given || p.monthDays.has(day, length)
}

// hasWeekday reports whether the index-th day of a row is a weekday that the rule names. The row, a month or a year, begins with
// the weekday first.
func (p *pattern) hasWeekday(first time.Weekday, index, length int) bool {
	weekday := (int(first) + index - 1) % 7
	return !p.byDay || p.weekdays.has(weekday) || p.ordinals[weekday].hasWeek(index, length)
}

// choose applies BYSETPOS to the matches of a period.
func (p *pattern) choose(matches []int) []int {
	if !p.setPos.given {
		return matches
	}
	chosen, length := matches[:0], len(matches)
	for i, m := range matches {
		if p.setPos.has(i+1, length) {
			chosen = append(chosen, m)
		}
	}
	return chosen
}
