package recurrence

import (
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

// MaxText bounds a phrase, in bytes. The longest useful ones name twelve months and two dates.
const MaxText = 200

// TextOptions are what the words of a phrase depend on.
type TextOptions struct {
	// Zone is where the times of the phrase are wall-clock times, and where "today" is. Nil means UTC.
	Zone *time.Location
	// Now is when the phrase is read. It is the start of phrases that name no first day.
	Now time.Time
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
func ParseText(text string, o TextOptions) (Phrase, error) {
	return Phrase{}, &Error{"", "is not understood: " + text}
}
