package domain

import (
	"encoding/json"
	"time"

	"github.com/taskwire/taskwire/pkg/platform/optional"
	"github.com/taskwire/taskwire/pkg/recurrence"
)

// Moment is an instant of a request. A client gives it with its offset, or as wall-clock time in the task's zone.
type Moment struct {
	at   time.Time // the instant, or the wall-clock time as if it were UTC
	wall bool
}

// At returns the moment of an instant.
func At(t time.Time) Moment { return Moment{at: Instant(t)} }

// in returns the instant of the moment in a zone. clock is the time of day that the client means, if the clocks skip it on that
// day. Such a time moves later by as much as the clocks skip. Of two equal wall-clock times, the first counts.
func (m Moment) in(zone *time.Location) (at time.Time, clock *time.Duration) {
	if !m.wall {
		return m.at, nil
	}
	found := recurrence.AtWall(m.at, zone)
	if found.Gap != 0 {
		meant := m.at.Sub(m.at.Truncate(24 * time.Hour))
		clock = &meant
	}
	return Instant(found.At), clock
}

// wallForms are the forms of a wall-clock time. A fraction of a second is accepted after the seconds.
var wallForms = []string{"2006-01-02T15:04:05", "2006-01-02T15:04"}

func readMoment(o *optional.Field[Moment], raw json.RawMessage) *badMember {
	var text optional.Field[string]
	const want = "an instant with its offset, like 2030-01-31T15:04:05Z, or a time in the task's zone, like 2030-01-31T15:04:05"
	if err := read(&text, raw, want); err != nil {
		return err
	}
	o.Set, o.Null = true, text.Null
	if text.Null {
		return nil
	}
	if t, err := time.Parse(time.RFC3339, text.Value); err == nil {
		o.Value = At(t)
		return nil
	}
	for _, form := range wallForms {
		if t, err := time.Parse(form, text.Value); err == nil {
			o.Value = Moment{at: Instant(t), wall: true}
			return nil
		}
	}
	return &badMember{reason: "must be " + want}
}
