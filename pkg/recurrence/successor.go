package recurrence

import (
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

// Successor has the times of the task that follows a completed recurring task. Each has the form, day or instant, that it has in
// the completed task, and keeps its distance to the others in calendar days and its time of day.
type Successor struct {
	OccurrenceNo int // of the completed task, plus 1
	// Elapsed is how many dates of the rule were used up: 1, plus those that exdates leave out, plus those that were over. Up to
	// MaxCount it is exact; above, it is only more than MaxCount.
	Elapsed   int
	StartDate string
	StartAt   *time.Time
	DueDate   string
	DueAt     *time.Time
	RemindAt  *time.Time
	State     State // what the series remembers with the new task
}

// SuccessorOf returns the times of the task that follows the completed task t, as SuccessorAt does for a task with the zero State.
func SuccessorOf(t events.TaskData, completedAt time.Time) (Successor, bool, error) {
	return SuccessorAt(t, State{}, completedAt)
}

// SuccessorAt returns the times of the task that follows the completed task t. It returns false if the series ends there: t does
// not recur, the rule has no further date, or COUNT or UNTIL is reached. The error names the value of t that cannot be read. It is
// permanent.
func SuccessorAt(t events.TaskData, state State, completedAt time.Time) (Successor, bool, error) {
	s, ok, err := read(t, state)
	if !ok || err != nil {
		return Successor{}, false, err
	}
	path := s.from(dateOf(completedAt, s.zone))
	day, ok := path.next(completedAt)
	if !ok {
		return Successor{}, false, nil
	}
	next := Successor{OccurrenceNo: s.no + 1, Elapsed: path.elapsed, State: State{RuleNo: s.ruleNo + path.elapsed}}
	start, due := s.times(day)
	remind := s.moved(s.remind, day).at(s.zone)
	next.StartDate, next.StartAt, next.State.StartClock = s.start.write(start, s.zone)
	next.DueDate, next.DueAt, next.State.DueClock = s.due.write(due, s.zone)
	_, next.RemindAt, next.State.RemindClock = s.remind.write(remind, s.zone)
	return next, true, nil
}

// times returns the start and the due date of the occurrence of the rule's date. A gap can move the start behind the due date; then
// the occurrence is due when it starts.
func (s *series) times(d date) (start, due Moment) {
	start, due = s.moved(s.start, d).at(s.zone), s.moved(s.due, d).at(s.zone)
	if s.start.hasClock && s.due.hasClock && due.At.Before(start.At) {
		due = start
	}
	return start, due
}

// write returns a moment of an occurrence in the form that m has, and the time of day to remember if the instant has another.
func (m moment) write(at Moment, zone *time.Location) (day string, instant *time.Time, meant *time.Duration) {
	if !m.hasClock {
		return at.Date, nil, nil
	}
	utc := at.At.UTC()
	if m.clock != Clock(utc, zone) {
		meant = &m.clock
	}
	return "", &utc, meant
}
