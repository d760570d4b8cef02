// Package phrase reads the words of a recurrence or of a date, such as "every 2 weeks on mon,thu at 9am until 3 Aug". It says what
// the words name. It computes no occurrence: package recurrence makes the rule and the first date.
//
// How a phrase is read:
//
//   - A text is cut into tokens. A lexicon gives each word its meanings, so that one grammar reads every language. A word can have
//     two meanings ("mar" is a month and a weekday in Spanish); the grammar decides by the words around it.
//   - A phrase is tried in its own language first, and then in English.
//   - Every word must be used. A word that is left over is an error that names it.
//
// The phrases are those that Todoist documents in "Introduction to recurring dates" and "Introduction to dates and time".
package phrase

import (
	"fmt"
	"strings"
	"time"
)

// Frequency is the period of a recurrence, as RFC 5545 names it.
type Frequency string

// The frequencies.
const (
	Daily   Frequency = "DAILY"
	Weekly  Frequency = "WEEKLY"
	Monthly Frequency = "MONTHLY"
	Yearly  Frequency = "YEARLY"
)

// Spec is what the words of a phrase name.
type Spec struct {
	// NoDate is true for "no date". All other members are then empty.
	NoDate bool
	// Rule is nil for a phrase that is a date.
	Rule *Rule
	// Day is the date, or the first day of the recurrence; nil if the phrase names none.
	Day *Day
	// Clock is the time of day since midnight; nil if the phrase names none.
	Clock *time.Duration
	// Instant is set for a date and time with an offset from UTC. Clock is then nil, and Day is the day as it is written.
	Instant time.Time
	// Notes say where the words may mean something else.
	Notes []string
}

// Rule is the recurrence that a phrase names.
type Rule struct {
	Frequency  Frequency
	Interval   int
	Completion bool // counted from the day of completion
	Months     []time.Month
	MonthDays  []int // negative: from the end of the month
	Weekdays   []Weekday
	Position   int // of the days that Weekdays names in their period; 0 means all of them
	Until      *Day
	Count      int
	During     Span // "for 3 weeks"
	Workday    bool // the first day is a workday
}

// Weekday is a day of the week. With a number it is only that one of its month, counted from the end if N is negative.
type Weekday struct {
	N   int
	Day time.Weekday
}

// Span is a number of days, weeks, months or years.
type Span struct {
	N    int
	Unit Unit
}

// From returns the day that is the span after day. A month without that day gives its last day.
func (s Span) From(day time.Time) time.Time {
	switch s.Unit {
	case Days:
		return day.AddDate(0, 0, s.N)
	case Weeks:
		return day.AddDate(0, 0, 7*s.N)
	case Months, Quarters, Years:
		months := s.N * map[Unit]int{Months: 1, Quarters: 3, Years: 12}[s.Unit]
		first := civil(day.Year(), day.Month()+time.Month(months), 1)
		return civil(first.Year(), first.Month(), min(day.Day(), lastDay(first)))
	case Hours:
	}
	return day
}

// Error says which words are not understood, or what the words mean that no rule can express.
type Error struct{ Reason string }

func (e *Error) Error() string { return e.Reason }

func errorf(format string, args ...any) *Error { return &Error{fmt.Sprintf(format, args...)} }

// Parse reads a text in a language (en, pt_BR, zh-CN, …). The error is an *Error.
func Parse(text, language string) (Spec, error) {
	tokens := lex(text)
	if len(tokens) == 0 {
		return Spec{}, errorf("is empty")
	}
	code, _, _ := strings.Cut(strings.ReplaceAll(strings.ToLower(strings.TrimSpace(language)), "_", "-"), "-")
	own, known := lexicons[code]
	if known {
		spec, err := parse(tokens, own, code)
		if err == nil {
			return spec.Spec, nil
		}
		if english, tried := parse(tokens, lexicons[English], English); tried == nil {
			return english.Spec, nil
		}
		return Spec{}, err
	}
	spec, err := parse(tokens, lexicons[English], English)
	switch {
	case code == "" || code == "none": // the file names no language
	case err != nil:
		err = errorf("%s (the language %.20q is not supported)", err.Error(), language)
	case spec.worded:
		spec.Notes = append(spec.Notes, fmt.Sprintf("is read as English: the language %.20q is not supported", language))
	}
	return spec.Spec, err
}
