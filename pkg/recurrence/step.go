package recurrence

import (
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

// path gives the occurrences that follow a task, in order.
type path struct {
	series  *series
	walk    *walk
	elapsed int // the dates of the rule that were passed, the last one given included
}

// from returns the path after the task if it is completed on that day. Only anchor "completion" uses the day.
func (s *series) from(done date) *path {
	base := s.base().day
	if s.anchor != events.AnchorCompletion {
		return &path{series: s, walk: newWalk(s.rule.pattern(base, false), base, base)}
	}
	after := max(done, base)
	if !s.rule.namesDates() {
		// The rule is an interval from the completion. There are no days to keep, so a shorter month has its last day.
		return &path{series: s, walk: newWalk(s.rule.pattern(done, true), done, after)}
	}
	p := s.rule.pattern(base, false)
	if period := p.number(done); p.interval > 1 && period != p.number(base) {
		after = max(base, p.first(period+1)-1)
	}
	return &path{series: s, walk: newWalk(p, done, after)}
}

// next returns the next date that is neither left out nor over at now, and reports whether there is one. A zero now, and
// catch_up "all", take over occurrences too.
func (p *path) next(now time.Time) (date, bool) {
	s := p.series
	catchUp := s.anchor != events.AnchorCompletion && s.catchUp != events.CatchUpAll && !now.IsZero()
	for {
		d, ok := p.walk.date()
		p.elapsed++
		switch {
		case !ok || s.rule.count > 0 && s.ruleNo+p.elapsed > s.rule.count || !s.allows(d):
			return 0, false
		case s.excluded[d]:
		case !catchUp || !s.over(d, now):
			return d, true
		case p.elapsed > MaxCount:
			// No COUNT is left to count for, so the rest of the missed days is jumped over. The time of day, a gap and the
			// distance of the due date are within these days.
			p.walk.seek(max(d, dateOf(now, s.zone)-(s.last().day-s.base().day)-3))
		}
	}
}

// allows reports whether UNTIL permits the occurrence of that date, and whether all of its times can be written.
func (s *series) allows(d date) bool {
	r, base := &s.rule, s.moved(s.base(), d)
	if r.until == untilNone || !s.writable(d) {
		return s.writable(d)
	}
	limit := dayOf(r.untilTime)
	if r.until == untilInstant {
		limit = dateOf(r.untilTime, s.zone)
	}
	switch {
	case !base.hasClock || r.until == untilDay || base.day < limit-1 || base.day > limit+1:
		return base.day <= limit
	case r.until == untilClock:
		return !base.instant(s.zone).After(place(r.untilTime, s.zone))
	}
	return !base.instant(s.zone).After(r.untilTime)
}

// writable reports whether the times of the occurrence are within the years of RFC 3339, in any zone.
func (s *series) writable(d date) bool {
	for _, m := range []moment{s.start, s.due, s.remind} {
		if m.given && (s.moved(m, d).day > lastDate || m.hasClock && s.moved(m, d).day == lastDate) {
			return false
		}
	}
	return true
}
