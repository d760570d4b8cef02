package phrase

import (
	"fmt"
	"strings"
	"time"
)

// Years of a date: others are typing errors.
const minYear, maxYear = 1900, 9998

// Day is a day that a phrase names. Its members are used by kind.
type Day struct {
	kind  dayKind
	date  time.Time // of dayFixed
	month time.Month
	day   int          // negative: from the end of the month
	week  time.Weekday // of dayWeekday and dayNextWeek
	must  *time.Weekday
	span  Span
}

type dayKind int

const (
	dayFixed    dayKind = iota
	dayYearly           // 27 jan
	dayMonthly          // the 27th, end of month
	dayWeekday          // monday
	dayNextWeek         // next monday; next week is its Monday
	daySpan             // in 3 days, tomorrow
	dayNextOne          // next month, next year: their first day
)

// Fixed reports whether the day is the same whenever the phrase is read.
func (d Day) Fixed() bool { return d.kind == dayFixed }

// On returns the day, if the phrase is read today. A day without a year, a month or a week is the first such day that is not before
// from. It reports false if there is none, which 30 February is.
func (d Day) On(today, from time.Time) (time.Time, bool) {
	switch d.kind {
	case dayFixed:
		return d.date, true
	case dayYearly:
		for year := from.Year(); year <= from.Year()+8; year++ { // 29 February comes every eight years at worst
			if day := civil(year, d.month, d.day); day.Month() == d.month && !day.Before(from) {
				return day, true
			}
		}
	case dayMonthly:
		for i := range time.Month(3) { // of three months in a row, one has 31 days
			day := civil(from.Year(), from.Month()+i, d.day)
			if d.day < 0 {
				day = civil(from.Year(), from.Month()+i+1, d.day+1)
			}
			if (d.day < 0 || day.Day() == d.day) && !day.Before(from) {
				return day, true
			}
		}
	case dayWeekday:
		return from.AddDate(0, 0, (int(d.week)-int(from.Weekday())+7)%7), true
	case dayNextWeek:
		monday := today.AddDate(0, 0, 7-(int(today.Weekday())+6)%7)
		return monday.AddDate(0, 0, (int(d.week)+6)%7), true
	case daySpan:
		return d.span.From(today), true
	case dayNextOne:
		if d.span.Unit == Years {
			return civil(today.Year()+1, time.January, 1), true
		}
		return civil(today.Year(), today.Month()+1, 1), true
	}
	return time.Time{}, false
}

// day reads a day into *into. It reports false, and reads nothing, if none follows.
func (p *parser) day(into **Day) (bool, error) {
	mark := p.at
	d, found, err := p.anyDay()
	switch {
	case err != nil:
		return false, err
	case !found:
		p.at = mark
		return false, nil
	case *into != nil:
		return false, errorf("names the same day twice")
	}
	if _, ok := d.On(civil(2000, time.January, 1), civil(2000, time.January, 1)); !ok {
		return false, errorf("names a day that the calendar does not have")
	}
	if d.must != nil && d.date.Weekday() != *d.must {
		return false, errorf("names %s, which is not a %s", d.date.Format(time.DateOnly), *d.must)
	}
	*into = &d
	return true, nil
}

func (p *parser) anyDay() (Day, bool, error) {
	p.skip(filler)
	t := p.peek(0)
	if t.date != nil {
		p.at++
		d, err := p.inFigures(*t.date)
		return d, true, err
	}
	if d, ok := p.dayOfMonth(); ok {
		return d, true, nil
	}
	if n, ok := p.value(relative); ok {
		return Day{kind: daySpan, span: Span{n, Days}}, true, nil
	}
	if w, ok := p.value(weekday); ok {
		return p.afterWeekday(time.Weekday(w))
	}
	if d, ok := p.nextOrThis(); ok {
		return d, true, nil
	}
	switch {
	case p.take(monthEnd):
		return Day{kind: dayMonthly, day: -1}, true, nil
	case p.take(middle):
		p.sign('-')
		if m, ok := p.value(month); ok {
			return Day{kind: dayYearly, month: time.Month(m), day: 15}, true, nil
		}
	case p.take(weekend):
		return Day{kind: dayWeekday, week: time.Saturday}, true, nil
	}
	return p.distance()
}

// afterWeekday reads what follows a weekday: "monday", "lundi prochain", or the date that it belongs to: "Wed, 27 Jan 2027".
func (p *parser) afterWeekday(w time.Weekday) (Day, bool, error) {
	mark := p.at
	p.sign(',')
	p.skip(filler)
	if t := p.peek(0); t.date != nil && t.date.year > 0 {
		p.at++
		d, err := p.inFigures(*t.date)
		d.must = &w
		return d, true, err
	}
	if d, ok := p.dayOfMonth(); ok && d.kind == dayFixed {
		d.must = &w
		return d, true, nil
	}
	p.at = mark
	if p.take(next) {
		return Day{kind: dayNextWeek, week: w}, true, nil
	}
	return Day{kind: dayWeekday, week: w}, true, nil
}

// nextOrThis reads "next week", "next monday", "this weekend", "semaine prochaine".
func (p *parser) nextOrThis() (Day, bool) {
	mark := p.at
	following := p.take(next)
	if !following && !p.take(this) && (!p.is(0, unit) || !p.is(1, next)) {
		return Day{}, false
	}
	if w, ok := p.value(weekday); ok && following {
		return Day{kind: dayNextWeek, week: time.Weekday(w)}, true
	} else if ok {
		return Day{kind: dayWeekday, week: time.Weekday(w)}, true
	}
	if p.take(weekend) {
		if following {
			return Day{kind: dayNextWeek, week: time.Saturday}, true
		}
		return Day{kind: dayWeekday, week: time.Saturday}, true
	}
	if u, ok := p.value(unit); ok && (following || p.take(next)) {
		switch Unit(u) {
		case Weeks:
			return Day{kind: dayNextWeek, week: time.Monday}, true
		case Months, Years:
			return Day{kind: dayNextOne, span: Span{1, Unit(u)}}, true
		case Hours, Days, Quarters:
		}
	}
	p.at = mark
	return Day{}, false
}

// distance reads "in 3 days", "+5 days", "3 weeks ago".
func (p *parser) distance() (Day, bool, error) {
	ahead := p.take(in) || p.sign('+')
	n, ok := p.amount()
	if !ok {
		return Day{}, false, nil
	}
	u, ok := p.value(unit)
	switch {
	case !ok || Unit(u) == Hours:
		return Day{}, false, nil
	case ahead:
	case p.take(ago):
		n = -n
	default:
		return Day{}, false, nil
	}
	return Day{kind: daySpan, span: Span{n, Unit(u)}}, true, nil
}

// dayOfMonth reads "27 jan", "jan 27th, 2027" and "27th".
func (p *parser) dayOfMonth() (Day, bool) {
	mark := p.at
	var d Day
	if m, ok := p.value(month); ok {
		if t := p.peek(0); t.number && t.n <= 31 && !p.is(1, oclock, beforeNoon, afterNoon) {
			p.at++
			d = Day{kind: dayYearly, month: time.Month(m), day: t.n}
		}
	} else if t := p.peek(0); t.number && t.n <= 31 {
		p.at++
		p.skip(filler)
		if m, ok := p.value(month); ok {
			d = Day{kind: dayYearly, month: time.Month(m), day: t.n}
		} else if t.ordinal && !p.is(0, oclock, unit, weekday) {
			p.at = mark + 1
			p.take(ofMonth)
			return Day{kind: dayMonthly, day: t.n}, true
		}
	}
	if d.day == 0 {
		p.at = mark
		return d, false
	}
	mark = p.at
	p.sign(',')
	p.skip(filler)
	if t := p.peek(0); t.number && !t.ordinal && t.n >= minYear && t.n <= maxYear {
		p.at++
		return Day{kind: dayFixed, date: civil(t.n, d.month, d.day), month: d.month, day: d.day}.checked(), true
	}
	p.at = mark
	return d, true
}

// checked turns a fixed date that the calendar does not have into one that On refuses.
func (d Day) checked() Day {
	if d.date.Month() != d.month || d.date.Day() != d.day {
		return Day{kind: dayYearly, month: time.February, day: 30}
	}
	return d
}

// inFigures decides which figure is the day and which the month. Year first, or dots, leave no doubt. With slashes and hyphens either
// order is in use.
func (p *parser) inFigures(w written) (Day, error) {
	dayFirst, monthFirst := w.second <= 12, w.first <= 12
	day, m := w.first, w.second
	switch {
	case w.yearFirst:
		day, m = w.second, w.first
	case !dayFirst && monthFirst && w.separator != ".":
		day, m = w.second, w.first
	case dayFirst && monthFirst && w.first != w.second && w.separator != ".":
		one, two := written{first: day, second: m, year: w.year}, written{first: m, second: day, year: w.year}
		if w.separator == "/" && p.language == English {
			return Day{}, errorf("can mean %s or %s", one, two)
		}
		p.note("can mean %s or %s: the first is used", one, two)
	}
	d := Day{kind: dayYearly, month: time.Month(m), day: day}
	if m < 1 || m > 12 || day < 1 || w.year != 0 && (w.year < minYear || w.year > maxYear) {
		return Day{kind: dayYearly, month: time.February, day: 30}, nil // day() refuses it
	}
	if w.year != 0 {
		d = Day{kind: dayFixed, date: civil(w.year, d.month, d.day), month: d.month, day: d.day}.checked()
	}
	return d, p.afterT(w)
}

func (w written) String() string {
	text := fmt.Sprintf("%d %s", w.first, time.Month(w.second))
	if w.year != 0 {
		text += fmt.Sprintf(" %d", w.year)
	}
	return text
}

// afterT reads the time of 2027-01-27T18:00:00, which may have an offset from UTC.
func (p *parser) afterT(w written) error {
	if w.time == "" {
		return nil
	}
	if w.year == 0 {
		return errorf("names a day that the calendar does not have")
	}
	day := fmt.Sprintf("%04d-%02d-%02dT", w.year, w.first, w.second)
	text := strings.ToUpper(w.time)
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05Z0700"} {
		if at, err := time.Parse(layout, day+text); err == nil {
			p.spec.Instant = at.UTC()
			return nil
		}
	}
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02T15:04"} {
		if at, err := time.Parse(layout, day+text); err == nil {
			clock := at.Sub(civil(at.Year(), at.Month(), at.Day()))
			p.spec.Clock = &clock
			return nil
		}
	}
	return errorf("has a time of day that does not exist")
}
