package domain

// This file decides which days a filter by due date selects.

import (
	"strings"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

// DueFilter selects tasks by the day on which they are due: a word, or the days from From to To. The zero value selects
// every task.
type DueFilter struct {
	Word     string // today, tomorrow or this_week
	From, To string // dates; "" is open
}

// The words of a DueFilter. DueOverdue is the same as the filter overdue, which compares instants.
const (
	DueToday    = "today"
	DueTomorrow = "tomorrow"
	DueThisWeek = "this_week" // Monday to Sunday, as in ISO 8601
	DueOverdue  = "overdue"
)

// DueForms describes the values of a DueFilter to a user.
const DueForms = "must be today, tomorrow, this_week, overdue, a day like 2030-01-31, or days like 2030-01-01..2030-01-31 of which one may be left out"

// ParseDue reads a DueFilter other than DueOverdue, and reports whether text is one.
func ParseDue(text string) (DueFilter, bool) {
	switch text {
	case DueToday, DueTomorrow, DueThisWeek:
		return DueFilter{Word: text}, true
	}
	from, to, isRange := strings.Cut(text, "..")
	if !isRange {
		to = from
	}
	if from == "" && to == "" || from != "" && !isDay(from) || to != "" && !isDay(to) || from != "" && to != "" && from > to {
		return DueFilter{}, false
	}
	return DueFilter{From: from, To: to}, true
}

// isDay reports whether s is a date that a task can have.
func isDay(s string) bool {
	day, err := time.Parse(time.DateOnly, s)
	return err == nil && day.Year() >= MinYear && day.Year() <= MaxYear
}

// Days are calendar days and their instants in a zone. An open side has neither.
type Days struct {
	From, To   string     // the first and the last day
	Start, End *time.Time // the beginning of From, and the end of To, exclusive
}

// Days returns the days of the filter at an instant, in the zone of the user.
func (f DueFilter) Days(now time.Time, zone string) (Days, error) {
	days := Days{From: f.From, To: f.To}
	if f.Word != "" {
		loc, ok := Zone(zone)
		if !ok {
			loc = time.UTC
		}
		y, m, d := now.In(loc).Date()
		first := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
		last := first
		switch f.Word {
		case DueTomorrow:
			first = first.AddDate(0, 0, 1)
			last = first
		case DueThisWeek:
			first = first.AddDate(0, 0, -(int(first.Weekday())+6)%7)
			last = first.AddDate(0, 0, 6)
		}
		days.From, days.To = first.Format(time.DateOnly), last.Format(time.DateOnly)
	}
	var err error
	if days.From != "" {
		day, _ := time.Parse(time.DateOnly, days.From) // a date, by ParseDue
		if days.Start, err = dayEnd(day.AddDate(0, 0, -1).Format(time.DateOnly), zone); err != nil {
			return Days{}, err
		}
	}
	if days.To != "" {
		if days.End, err = dayEnd(days.To, zone); err != nil {
			return Days{}, err
		}
	}
	return days, nil
}

// dayEnd returns the first instant after a day.
func dayEnd(day, zone string) (*time.Time, error) {
	last, _, err := events.TaskData{DueDate: day, Timezone: zone}.DueInstant()
	if err != nil {
		return nil, err
	}
	end := last.Add(time.Second)
	return &end, nil
}
