package recurrence

import (
	"errors"
	"fmt"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

// State is what a series remembers from task to task, beyond the fields of the task. The zero value is right for a task whose
// times are as the user gave them.
type State struct {
	// RuleNo is the number of the task's occurrence within the rule, from 1. It counts the days that the series left out or
	// passed over, which occurrence_no does not. COUNT is compared with it. Zero means that it equals occurrence_no.
	RuleNo int
	// The times of day that the series means, where they differ from those of the task: the clocks skip them on its day.
	StartClock, DueClock, RemindClock *time.Duration
}

// series is a recurring task with its values read.
type series struct {
	rule               Rule
	anchor             events.Anchor
	catchUp            events.CatchUp
	zone               *time.Location
	excluded           map[date]bool
	no, ruleNo         int
	start, due, remind moment
}

// moment is a day, or a day with a time of day, in the zone of the series.
type moment struct {
	given    bool
	day      date
	hasClock bool
	clock    time.Duration
}

// read returns the series of a task, and reports whether there is one. The error names the value that cannot be read.
func read(t events.TaskData, state State) (series, bool, error) {
	r := t.Recurrence
	if r == nil {
		return series{}, false, nil
	}
	s := series{anchor: r.Anchor, catchUp: r.CatchUp, no: max(t.OccurrenceNo, 1)}
	s.ruleNo = state.RuleNo
	if s.ruleNo == 0 {
		s.ruleNo = s.no
	}
	var err error
	if s.rule, err = Parse(r.RRule); err != nil {
		return s, false, fmt.Errorf("recurrence.rrule %w", err)
	}
	name := r.Timezone
	if name == "" {
		name = t.Timezone
	}
	if s.zone, err = time.LoadLocation(name); err != nil {
		return s, false, fmt.Errorf("recurrence.timezone: %w", err)
	}
	if s.excluded, err = readDates(r.ExDates); err != nil {
		return s, false, fmt.Errorf("recurrence.exdates: %w", err)
	}
	if s.start, err = readMoment(t.StartDate, t.StartAt, state.StartClock, s.zone); err != nil {
		return s, false, fmt.Errorf("start_date: %w", err)
	}
	if s.due, err = readMoment(t.DueDate, t.DueAt, state.DueClock, s.zone); err != nil {
		return s, false, fmt.Errorf("due_date: %w", err)
	}
	if s.remind, err = readMoment("", t.RemindAt, state.RemindClock, s.zone); err != nil {
		return s, false, fmt.Errorf("remind_at: %w", err)
	}
	return s, s.start.given || s.due.given, nil
}

var errNoDate = errors.New("is not a date (YYYY-MM-DD)")

func readDates(days []string) (map[date]bool, error) {
	out := make(map[date]bool, len(days))
	for _, text := range days {
		d, ok := parseDate(text)
		if !ok {
			return nil, errNoDate
		}
		out[d] = true
	}
	return out, nil
}

// readMoment reads a day or an instant. meant is the time of day that the series means, if the clocks skipped it.
func readMoment(day string, at *time.Time, meant *time.Duration, zone *time.Location) (moment, error) {
	switch {
	case day != "":
		d, ok := parseDate(day)
		if !ok {
			return moment{}, errNoDate
		}
		return moment{given: true, day: d}, nil
	case at == nil || at.IsZero():
		return moment{}, nil
	}
	m := moment{given: true, day: dateOf(*at, zone), hasClock: true, clock: Clock(*at, zone)}
	if meant != nil {
		m.clock = *meant
		// A gap over midnight moves the time to the next day.
		if before := (m.day - 1).midnight().Add(m.clock); place(before, zone).Equal(*at) {
			m.day--
		}
	}
	return m, nil
}

// base is the moment from which the rule counts: the start if there is one (RFC 5545: DTSTART), else the due date.
func (s *series) base() moment {
	if s.start.given {
		return s.start
	}
	return s.due
}

// last is the moment after which an occurrence is over: its due date if there is one, else its start.
func (s *series) last() moment {
	if s.due.given {
		return s.due
	}
	return s.start
}

// moved returns the moment by as many days later as d is later than the day from which the rule counts. So all moments of an
// occurrence keep their distances in calendar days and their times of day.
func (s *series) moved(m moment, d date) moment {
	m.day += d - s.base().day
	return m
}

// at returns the moment as a day or an instant.
func (m moment) at(zone *time.Location) Moment {
	switch {
	case !m.given:
		return Moment{}
	case !m.hasClock:
		return Moment{Date: m.day.String()}
	}
	return AtWall(m.wall(), zone)
}

func (m moment) wall() time.Time                       { return m.day.midnight().Add(m.clock) }
func (m moment) instant(zone *time.Location) time.Time { return place(m.wall(), zone) }
