package recurrence

// cycle is the number of periods after which the calendar repeats for the pattern. The Gregorian calendar repeats after 400 years,
// which are exactly 20,871 weeks. Without BYMONTH, all weeks are alike.
func (p *pattern) cycle() int {
	switch {
	case p.freq == yearly:
		return 400
	case p.freq == monthly:
		return 400 * 12
	case p.freq == weekly && !p.byMonth:
		return 1
	case p.freq == weekly:
		return 20_871
	default:
		return 20_871 * 7
	}
}

// walk gives the dates of a pattern in ascending order. It looks at every interval-th period, counted from that of its origin,
// and jumps over those that cannot match.
//
// A walk always ends. The interval-th periods see the same calendar again after cycle / gcd(interval, cycle) of them. If so many
// had no match, there is none.
type walk struct {
	pattern *pattern
	origin  int   // the number of a period that the walk looks at
	next    int   // the number from which it goes on
	bound   int   // the number after which nothing new can come
	after   date  // only later dates are given
	first   date  // the first date of the period that it looked at last
	rest    []int // the matches of that period that were not given yet
}

// newWalk returns a walk from the period of origin, over the dates after the date given.
func newWalk(p *pattern, origin, after date) *walk {
	w := &walk{pattern: p, origin: p.number(origin)}
	w.seek(after)
	return w
}

// seek goes on with the first date after that one.
func (w *walk) seek(after date) {
	w.after, w.rest = after, nil
	w.next = max(w.origin, w.pattern.number(after))
	w.bound = w.next + w.span()
}

// span is the number of periods, with those that the interval leaves out, after which the walk sees the same calendar again.
func (w *walk) span() int {
	n, c := w.pattern.interval, w.pattern.cycle()
	return n * (c / gcd(n, c))
}

// date returns the next date, and reports whether there is one up to lastDate.
func (w *walk) date() (date, bool) {
	for {
		for len(w.rest) > 0 {
			d := w.first + date(w.rest[0])
			w.rest = w.rest[1:]
			if d > w.after {
				return d, d <= lastDate
			}
		}
		if !w.advance() {
			return 0, false
		}
	}
}

// advance finds the next period with matches, and reports whether there is one.
func (w *walk) advance() bool {
	p := w.pattern
	if p.never(w.origin) {
		return false
	}
	for {
		n := w.next + modulo(w.origin-w.next, p.interval)
		if n > w.bound {
			return false
		}
		w.first, w.rest, w.next = p.matches(n)
		if w.first > lastDate {
			return false
		}
		if len(w.rest) > 0 {
			w.bound = n + w.span()
			return true
		}
	}
}

// never reports whether the rule obviously has no date from that period on. BYSETPOS may ask for more matches than a period has, or
// a DAILY rule may count whole weeks and never meet a weekday that it names. The walk would find that out in thousands of steps.
func (p *pattern) never(number int) bool {
	switch p.freq {
	case daily:
		return p.setPos.none(1) || p.byDay && p.interval%7 == 0 && !p.weekdays.has(int(date(number).weekday()))
	case weekly:
		return p.setPos.none(p.weekdays.size())
	case monthly:
		return p.setPos.none(31)
	default:
		return false
	}
}

// everyPhaseOccurs reports whether the pattern has a date from whichever period it counts.
func (p *pattern) everyPhaseOccurs() bool {
	if p.never(0) && p.freq != daily {
		return false
	}
	c := p.cycle()
	phases := gcd(p.interval, c)
	if p.freq == daily && p.byDay && phases%7 == 0 {
		for day := range 7 {
			if !p.weekdays.has(day) {
				return false
			}
		}
	}
	occurs, missing := make([]bool, phases), phases
	for n := p.number(0); n < p.number(0)+c && missing > 0; {
		_, matches, next := p.matches(n)
		if phase := n % phases; len(matches) > 0 && !occurs[phase] {
			occurs[phase] = true
			missing--
		}
		n = next
	}
	return missing == 0
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
