package recurrence

import (
	"errors"
	"fmt"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/recurrence/internal/phrase"
)

// MaxText bounds a phrase, in bytes. The longest useful ones name twelve months and two dates.
const MaxText = 200

// TextOptions are what the words of a phrase depend on.
type TextOptions struct {
	// Zone is where the times of the phrase are wall-clock times, and where "today" is. Nil means UTC.
	Zone *time.Location
	// Now is when the phrase is read. It is the start of phrases that name no first day.
	Now time.Time
	// Start is the day (YYYY-MM-DD) from which the recurrence counts if the phrase names no first day. Empty means the day of Now.
	Start string
	// Language is the language of the phrase, as en or pt_BR. Empty means English. English is understood in every language.
	Language string
}

// Phrase is what a phrase says: a rule, a first due date, or both.
type Phrase struct {
	// RRule is the rule, which Parse accepts. It is empty if the phrase is a date without a recurrence.
	RRule string
	// Anchor is empty without a rule.
	Anchor events.Anchor
	// Date is the first due date, YYYY-MM-DD. It is empty only if the phrase says that there is no date.
	Date string
	// HasClock reports whether the phrase names a time of day. Clock is that time, since midnight.
	HasClock bool
	Clock    time.Duration
	// At is the instant of Date and Clock in the zone; zero without a time of day. The phrase may also name an instant.
	At time.Time
	// Relative reports that Date depends on when the phrase is read: "every day", "tomorrow", "27 Jan".
	Relative bool
	// Starts reports that the phrase names the first day of the recurrence: "every day starting 3 Aug".
	Starts bool
	// Until is the last day that the phrase names, YYYY-MM-DD; RRule has it too. Empty without one.
	Until string
	// Notes say, as text for the user, where the phrase may mean something else too.
	Notes []string
}

// Recurs reports whether the phrase has a rule.
func (p Phrase) Recurs() bool { return p.RRule != "" }

// ParseText reads a phrase such as "weekdays", "every 2 weeks on mon,thu", "monthly on the last friday", "every! 3 days at 8pm"
// or "tomorrow 10am". The error is an *Error. It names the words that are not understood, or what no rule can express.
//
// A phrase without a first day counts from today; if its time of day has passed today, from the next occurrence. If it names a first
// day in the past, it continues with the next occurrence. "Every month" from the 31st means the last day of shorter months, and
// "every year" from 29 February means the last day of February: FREQ=MONTHLY and FREQ=YEARLY would leave them out.
func ParseText(text string, o TextOptions) (Phrase, error) {
	if len(text) > MaxText {
		return Phrase{}, &Error{"", fmt.Sprintf("has more than %d characters", MaxText)}
	}
	spec, err := phrase.Parse(text, o.Language)
	if err != nil {
		return Phrase{}, textError(err)
	}
	if spec.NoDate {
		return Phrase{}, nil
	}
	zone := o.Zone
	if zone == nil {
		zone = time.UTC
	}
	r := textReader{spec: spec, zone: zone, now: o.Now, today: calendarDay(o.Now, zone)}
	if !spec.Instant.IsZero() {
		r.day, r.clock = calendarDay(spec.Instant, zone), Clock(spec.Instant, zone)
		r.spec.Clock = &r.clock
	} else if spec.Clock != nil {
		r.clock = *spec.Clock
	}
	r.out.Notes = spec.Notes
	if err := r.firstDay(o.Start); err != nil {
		return Phrase{}, err
	}
	if spec.Rule == nil {
		r.date()
	} else if err := r.rule(); err != nil {
		return Phrase{}, textError(err)
	}
	if _, ok := parseDate(r.out.Date); !ok {
		return Phrase{}, &Error{"", "names a day that the calendar does not have"} // in the zone, it is after the year 9999
	}
	return r.out, nil
}

func textError(err error) error {
	var own *Error
	if errors.As(err, &own) {
		return own
	}
	return &Error{"", err.Error()}
}

// textReader turns the words of a phrase into dates.
type textReader struct {
	spec  phrase.Spec
	zone  *time.Location
	now   time.Time
	today time.Time // midnight UTC of the day
	day   time.Time // the day that the phrase names, or from which it counts
	fixed bool      // start was given: the occurrence is not moved because its time has passed
	clock time.Duration
	out   Phrase
}

// firstDay finds the day from which the phrase counts.
func (r *textReader) firstDay(start string) error {
	switch {
	case !r.spec.Instant.IsZero():
		return nil
	case r.spec.Day != nil:
		day, ok := r.spec.Day.On(r.today, r.today)
		if !ok {
			return &Error{"", "names a day that the calendar does not have"}
		}
		r.day, r.out.Relative = day, !r.spec.Day.Fixed()
		return nil
	case start != "":
		day, err := time.Parse(time.DateOnly, start)
		if err != nil {
			return &Error{"", "has a start that is not a date"}
		}
		r.day, r.fixed, r.out.Relative = day, true, true
		return nil
	}
	r.day, r.out.Relative = r.today, true
	return nil
}

// date sets the day of a phrase without a rule. A time without a day is today's, or tomorrow's if it has passed.
func (r *textReader) date() {
	if r.spec.Day == nil && !r.fixed && r.passed(r.day) {
		r.day = r.day.AddDate(0, 0, 1)
	}
	r.set(r.day)
	if !r.spec.Instant.IsZero() {
		r.out.At = r.spec.Instant
	}
}

// set sets the first due date.
func (r *textReader) set(day time.Time) {
	r.out.Date = day.Format(time.DateOnly)
	if r.spec.Clock != nil {
		r.out.HasClock, r.out.Clock, r.out.At = true, r.clock, r.at(day)
	}
}

func (r *textReader) at(day time.Time) time.Time { return place(day.Add(r.clock), r.zone).UTC() }

// passed reports whether the time of day of the phrase has passed on that day.
func (r *textReader) passed(day time.Time) bool {
	return r.spec.Clock != nil && r.at(day).Before(r.now)
}

func calendarDay(t time.Time, zone *time.Location) time.Time {
	l := t.In(zone)
	return time.Date(l.Year(), l.Month(), l.Day(), 0, 0, 0, 0, time.UTC)
}
