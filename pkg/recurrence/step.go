package recurrence

import (
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

// path gives the occurrences that follow a task, in order.
type path struct {
	series   *series
	walk     *walk
	elapsed  int  // the dates of the rule that were passed, the last one given included
	writable date // the last date of the rule whose times can be written
	until    date // the day of UNTIL in the zone
}

// from returns the path after the task if it is completed on that day. Only anchor "completion" uses the day.
func (s *series) from(done date) *path {
	p := &path{series: s, walk: s.walk(done), writable: s.lastWritable()}
	switch s.rule.until {
	case untilNone:
	case untilInstant:
		p.until = dateOf(s.rule.untilTime, s.zone)
	default:
		p.until = dayOf(s.rule.untilTime)
	}
	return p
}

// walk returns the dates of the rule that follow the task if it is completed on that day.
func (s *series) walk(done date) *walk {
	base := s.base().day
	if s.anchor != events.AnchorCompletion {
		return newWalk(s.rule.pattern(base, false), base, base)
	}
	after := max(done, base)
	if !s.rule.namesDates() {
		// The rule is an interval from the completion. There are no days to keep, so a shorter month has its last day.
		return newWalk(s.rule.pattern(done, true), done, after)
	}
	p := s.rule.pattern(base, false)
	if period := p.number(done); p.interval > 1 && period != p.number(base) {
		after = max(base, p.first(period+1)-1)
	}
	return newWalk(p, done, after)
}

// next returns the next date that is neither left out nor over at now, and reports whether there is one. A zero now, and
// catch_up "all", take over occurrences too.
func (p *path) next(now time.Time) (date, bool) {
	s := p.series
	catchUp := s.anchor != events.AnchorCompletion && s.catchUp != events.CatchUpAll && !now.IsZero()
	today := dateOf(now, s.zone)
	for {
		d, ok := p.walk.date()
		p.elapsed++
		switch {
		case !ok || s.rule.count > 0 && s.ruleNo+p.elapsed > s.rule.count || !p.allows(d):
			return 0, false
		case len(s.excluded) > 0 && s.excluded[d]:
		case !catchUp || !s.over(d, today, now):
			return d, true
		case p.elapsed > MaxCount:
			// No COUNT is left to count for, so the rest of the missed days is jumped over. The time of day and a gap are within
			// these three days.
			p.walk.seek(max(d, today-(s.last().day-s.base().day)-3))
		}
	}
}

// over reports whether the occurrence of the rule's date d is over at now: its day is before today, or its instant is not later.
func (s *series) over(d, today date, now time.Time) bool {
	m := s.moved(s.last(), d)
	if !m.hasClock || m.day < today-1 || m.day > today+1 {
		return m.day < today
	}
	return !m.instant(s.zone).After(now)
}

// allows reports whether UNTIL permits the occurrence of that date, and whether all of its times can be written.
func (p *path) allows(d date) bool {
	s := p.series
	base := s.base()
	base.day = d
	switch kind := s.rule.until; {
	case d > p.writable || kind == untilNone:
		return d <= p.writable
	case !base.hasClock || kind == untilDay || d < p.until-1 || d > p.until+1:
		return d <= p.until
	case kind == untilClock:
		return !base.instant(s.zone).After(place(s.rule.untilTime, s.zone))
	}
	return !base.instant(s.zone).After(s.rule.untilTime)
}

// lastWritable returns the last date of the rule for which the times of the occurrence are within the years of RFC 3339, in any zone.
func (s *series) lastWritable() date {
	last := lastDate
	for _, m := range []moment{s.start, s.due, s.remind} {
		if later := m.day - s.base().day; m.given && m.hasClock {
			last = min(last, lastDate-1-later)
		} else if m.given {
			last = min(last, lastDate-later)
		}
	}
	return last
}
