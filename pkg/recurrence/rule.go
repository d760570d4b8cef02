package recurrence

import (
	"errors"
	"time"
)

// Limits of a rule's parts.
const (
	// MaxInterval bounds INTERVAL: 1000 days are almost three years, and nobody plans more than 1000 years ahead.
	MaxInterval = 1000
	// MaxCount bounds COUNT: 10,000 days are 27 years.
	MaxCount = 10_000
	// MaxValues bounds the values of one BY part: all days of a year, counted from the start and from the end.
	MaxValues = 2 * 366
)

// ErrInvalid matches every *Error.
var ErrInvalid = errors.New("invalid recurrence rule")

// Error is the reason why a part of a rule is refused, as text for the user. It matches ErrInvalid.
type Error struct {
	Part   string // FREQ, BYDAY, …; empty when the error is about the whole text
	Reason string
}

func (e *Error) Error() string {
	if e.Part == "" {
		return e.Reason
	}
	return e.Part + " " + e.Reason
}

// Is makes errors.Is(err, ErrInvalid) true.
func (e *Error) Is(target error) bool { return target == ErrInvalid }

type frequency string

const (
	daily   frequency = "DAILY"
	weekly  frequency = "WEEKLY"
	monthly frequency = "MONTHLY"
	yearly  frequency = "YEARLY"
)

// weekdayNo is a weekday. If n ≠ 0 it is only the n-th one of its month or year, counted from the end if n is negative.
type weekdayNo struct {
	n   int
	day time.Weekday
}

// untilKind is how UNTIL was written.
type untilKind int

const (
	untilNone    untilKind = iota
	untilDay               // 20301231: all of that day
	untilInstant           // 20301231T225959Z
	untilClock             // 20301231T235959: wall-clock time in the zone
)

// Rule is a parsed rule. The zero value is not a rule: Next returns no occurrence for it.
type Rule struct {
	freq       frequency
	interval   int
	count      int // 0: no limit
	until      untilKind
	untilTime  time.Time // its meaning depends on until; its zone is UTC
	weekStart  time.Weekday
	byMonth    []int
	byMonthDay []int
	byYearDay  []int
	byDay      []weekdayNo
	bySetPos   []int
	steps      *int // counts the periods and days that are looked at, for tests; nil: does not count
}

// Count returns how many occurrences the rule allows; 0 means no limit.
func (r Rule) Count() int { return r.count }

// namesDays reports whether a part of the rule names days.
func (r Rule) namesDays() bool {
	return len(r.byMonthDay)+len(r.byYearDay)+len(r.byDay) > 0
}

// namesDates reports whether the rule has dates of its own, whatever the date from which it counts: it names days, or months of a
// year.
func (r Rule) namesDates() bool { return r.namesDays() || r.freq == yearly && len(r.byMonth) > 0 }
