package recurrence

import (
	"errors"
	"time"
)

// Limits of a rule's parts.
const (
	// MaxInterval bounds INTERVAL: 1000 days are almost three years, 1000 years more than anybody plans.
	MaxInterval = 1000
	// MaxCount bounds COUNT: 10,000 days are 27 years.
	MaxCount = 10_000
	// MaxValues bounds the values of one BY part: all days of a year, either way counted.
	MaxValues = 2 * 366
)

// ErrInvalid is matched by every *Error.
var ErrInvalid = errors.New("invalid recurrence rule")

// Error says which part of a rule is refused and why, for the user to read.
type Error struct {
	Part   string // FREQ, BYDAY, …; empty when the text as a whole is no rule
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

// weekdayNo is a weekday, with n ≠ 0 the n-th of its month or year, from the end where n is negative.
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
	untilClock             // 20301231T235959: on the wall clock of the zone
)

// Rule is a rule that Parse accepted. The zero value is not a rule.
type Rule struct {
	freq       frequency
	interval   int
	count      int // 0: no limit
	until      untilKind
	untilTime  time.Time // read as untilKind says; its zone is UTC
	weekStart  time.Weekday
	byMonth    []int
	byMonthDay []int
	byYearDay  []int
	byDay      []weekdayNo
	bySetPos   []int
}

// Count is how many occurrences the rule allows; 0 means no limit.
func (r Rule) Count() int { return r.count }

// namesDays reports whether the rule itself says on which days it falls.
func (r Rule) namesDays() bool {
	return len(r.byMonthDay)+len(r.byYearDay)+len(r.byDay) > 0
}
