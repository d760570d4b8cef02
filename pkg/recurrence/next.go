package recurrence

import (
	"fmt"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

// Occurrence is one occurrence of a series: its number, counted from 1, and its due date, which is a day or an instant.
type Occurrence struct {
	No   int
	Date string    // YYYY-MM-DD; empty when At is set
	At   time.Time // zero when Date is set
}

// Next returns the occurrence after current, and reports whether there is one: the series may end with current. Only anchor
// "completion" uses completedAt.
func Next(r Rule, anchor events.Anchor, zone *time.Location, current Occurrence, completedAt time.Time) (Occurrence, bool) {
	if r.freq == "" || (r.count > 0 && current.No >= r.count) {
		return Occurrence{}, false
	}
	due, clock, ok := current.split(zone)
	if !ok {
		return Occurrence{}, false
	}
	from := due
	if anchor == events.AnchorCompletion {
		from = dateOf(completedAt, zone)
	}
	day, ok := r.step(from, anchor)
	if !ok {
		return Occurrence{}, false
	}
	next := Occurrence{No: current.No + 1}
	wall := day.Add(clock)
	if current.Date != "" {
		next.Date = day.Format(time.DateOnly)
	} else {
		next.At = place(wall, zone)
	}
	if !r.allows(day, next, zone) {
		return Occurrence{}, false
	}
	return next, true
}

// split returns the calendar date of an occurrence and its time of day.
func (o Occurrence) split(zone *time.Location) (date, time.Duration, bool) {
	if o.Date != "" {
		day, err := time.Parse(time.DateOnly, o.Date)
		return date{day}, 0, err == nil
	}
	day := dateOf(o.At, zone)
	return day, clockOf(o.At, zone).Sub(day.Time), !o.At.IsZero()
}

// step returns the rule's next date after from. With anchor "completion", a rule that names no days is an interval: if the
// month does not have the day, step uses its last day.
func (r *Rule) step(from date, anchor events.Anchor) (date, bool) {
	months := map[frequency]int{monthly: 1, yearly: 12}[r.freq] * r.interval
	if anchor != events.AnchorCompletion || months == 0 || r.namesDays() || len(r.byMonth) > 0 {
		return r.after(from)
	}
	month := newDate(from.Year(), from.Month()+time.Month(months), 1)
	day := newDate(month.Year(), month.Month(), min(from.Day(), daysIn(month)))
	return day, day.Year() <= lastYear
}

// allows reports whether UNTIL permits the next occurrence.
func (r *Rule) allows(day date, next Occurrence, zone *time.Location) bool {
	switch r.until {
	case untilNone:
		return true
	case untilDay:
		return !day.After(r.untilTime)
	case untilClock:
		if next.Date != "" {
			return !day.After(dateOf(r.untilTime, time.UTC).Time)
		}
		return !next.At.After(place(r.untilTime, zone))
	case untilInstant:
	}
	if next.Date != "" {
		return !day.After(dateOf(r.untilTime, zone).Time)
	}
	return !next.At.After(r.untilTime)
}

// Successor has the times of the task that follows a completed recurring task. Exactly one of DueDate and DueAt is set.
type Successor struct {
	OccurrenceNo int
	StartDate    string
	StartAt      *time.Time
	DueDate      string
	DueAt        *time.Time
	RemindAt     *time.Time // as long before the due date, in wall-clock time, as before; nil without a reminder
}

// SuccessorOf returns the times of the task that follows the completed task t. It returns false if the series ends there: t
// does not recur, or COUNT or UNTIL is reached. The error names the value of t that cannot be read. It is permanent.
func SuccessorOf(t events.TaskData, completedAt time.Time) (Successor, bool, error) {
	if t.Recurrence == nil {
		return Successor{}, false, nil
	}
	rule, err := Parse(t.Recurrence.RRule)
	if err != nil {
		return Successor{}, false, fmt.Errorf("recurrence.rrule %w", err)
	}
	name := t.Recurrence.Timezone
	if name == "" {
		name = t.Timezone
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return Successor{}, false, fmt.Errorf("recurrence.timezone: %w", err)
	}
	current := Occurrence{No: max(t.OccurrenceNo, 1), Date: t.DueDate}
	if t.DueAt != nil {
		current.At = *t.DueAt
	}
	next, ok := Next(rule, t.Recurrence.Anchor, zone, current, completedAt)
	if !ok {
		return Successor{}, false, nil
	}
	s := Successor{OccurrenceNo: next.No, DueDate: next.Date, RemindAt: movedReminder(t, current, next, zone)}
	if !next.At.IsZero() {
		at := next.At.UTC()
		s.DueAt = &at
	}
	return s, true, nil
}

// movedReminder moves a reminder by as many days as the due date and keeps the time of day. So "at nine on the day before"
// keeps its meaning across daylight-saving changes.
func movedReminder(t events.TaskData, current, next Occurrence, zone *time.Location) *time.Time {
	if t.RemindAt == nil {
		return nil
	}
	was, _, ok1 := current.split(zone)
	is, _, ok2 := next.split(zone)
	if !ok1 || !ok2 {
		return nil
	}
	at := place(clockOf(*t.RemindAt, zone).Add(is.Sub(was.Time)), zone).UTC()
	return &at
}
