package recurrence

import (
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

// Occurrence is one occurrence of a rule: its number, counted from 1, and its due date, which is a day or an instant.
type Occurrence struct {
	No   int
	Date string    // YYYY-MM-DD; empty when At is set
	At   time.Time // zero when Date is set
}

// Next returns the occurrence after current, and reports whether there is one: the series may end with current. With anchor
// "schedule" it is the first one that is not over at completedAt; if completedAt is zero, it is the next one of the rule. The
// numbers count the occurrences that were passed over too.
func Next(r Rule, anchor events.Anchor, zone *time.Location, current Occurrence, completedAt time.Time) (Occurrence, bool) {
	due, err := readMoment(current.Date, &current.At, nil, zone)
	if r.freq == "" || err != nil || !due.given {
		return Occurrence{}, false
	}
	s := series{rule: r, anchor: anchor, zone: zone, ruleNo: current.No, due: due}
	path := s.from(dateOf(completedAt, zone))
	day, ok := path.next(completedAt)
	if !ok {
		return Occurrence{}, false
	}
	next := Occurrence{No: current.No + path.elapsed}
	if m := s.moved(due, day); m.hasClock {
		next.At = m.instant(zone)
	} else {
		next.Date = day.String()
	}
	return next, true
}
