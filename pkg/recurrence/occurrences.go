package recurrence

import (
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

// Moment is a day or an instant of an occurrence. The zero value is neither.
type Moment struct {
	Date string    // YYYY-MM-DD; empty when At is set
	At   time.Time // in the zone of the rule, so that its offset is the one that holds then; zero when Date is set
	// Gap is how much later At is than the time of day that the series means, because the clocks skip that time; usually 0.
	Gap time.Duration
	// Doubled reports that the clocks show the time of At twice: At is the first, and the second follows when they were set back.
	Doubled bool
}

// Upcoming is an occurrence of a series that is not a task yet.
type Upcoming struct {
	No         int // its occurrence_no
	RuleNo     int // its number within the rule; see State
	Start, Due Moment
}

// Occurrences returns the occurrences that follow the task, at most limit. It assumes that each one is completed on its own day,
// and the task itself at now if that is later. A zero now makes no difference. The error is that of SuccessorAt.
func Occurrences(t events.TaskData, state State, now time.Time, limit int) ([]Upcoming, error) {
	s, ok, err := read(t, state)
	if !ok || err != nil {
		return nil, err
	}
	var out []Upcoming
	path := s.from(max(s.last().day, dateOf(now, s.zone)))
	for len(out) < limit {
		day, ok := path.next(now)
		if !ok {
			break
		}
		u := Upcoming{No: s.no + len(out) + 1, RuleNo: s.ruleNo + path.elapsed}
		u.Start, u.Due = s.times(day)
		out = append(out, u)
		if s.anchor == events.AnchorCompletion { // what follows counts from the completion of this one
			s.start, s.due, s.remind, s.ruleNo = s.moved(s.start, day), s.moved(s.due, day), s.moved(s.remind, day), u.RuleNo
			path = s.from(s.last().day)
		}
	}
	return out, nil
}

// Ends reports whether the rule gives no occurrence after the task: the dates of the rule, COUNT or UNTIL end with it. With anchor
// "completion" it assumes that the task is completed on its own day. Missed occurrences count as occurrences, so the answer does
// not depend on the time. The error is that of SuccessorAt.
func Ends(t events.TaskData, state State) (bool, error) {
	s, ok, err := read(t, state)
	if !ok || err != nil {
		return false, err
	}
	_, more := s.from(s.last().day).next(time.Time{})
	return !more, nil
}

// CheckOccurs returns an *Error if the rule of the task has no date after the one from which it counts, up to the year 9999. With
// anchor "completion" there must be one whatever the day of completion. COUNT, UNTIL and exdates do not matter: a rule may end with
// the task. A value that cannot be read is another error.
func CheckOccurs(t events.TaskData) error {
	s, ok, err := read(t, State{})
	if !ok || err != nil {
		return err
	}
	return s.checkOccurs()
}

func (s *series) checkOccurs() error {
	base := s.base().day
	if s.anchor == events.AnchorCompletion {
		if !s.everyCompletionHasANext() {
			return &Error{"", "never occurs after some days of completion, because of its interval"}
		}
		return nil
	}
	if _, ok := newWalk(s.rule.pattern(base, false), base, base).date(); !ok {
		return &Error{"", "never occurs after " + base.String() + ", from which it counts"}
	}
	return nil
}

// everyCompletionHasANext reports whether the rule has a date from any day of completion.
func (s *series) everyCompletionHasANext() bool {
	p := s.rule.pattern(s.base().day, !s.rule.namesDates())
	if p.freq != weekly || s.rule.namesDays() {
		return p.everyPhaseOccurs()
	}
	for i := range 7 { // the weekday is that of the completion
		if !s.rule.pattern(date(i), true).everyPhaseOccurs() {
			return false
		}
	}
	return true
}
