package domain

import (
	"errors"
	"fmt"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

// QuietHours are a time of each day, by the wall clock of a zone, in which no reminder is delivered.
type QuietHours struct {
	Start, End time.Duration // since midnight, whole minutes; from Start to before End; End before Start is on the next day
	Zone       *time.Location
}

// FieldError names a wrong field of a request, with a reason for the user.
type FieldError struct{ Field, Reason string }

func (e *FieldError) Error() string { return e.Field + " " + e.Reason }

const clockLayout = "15:04"

// NewQuietHours parses quiet hours: start and end as HH:MM, zone as an IANA name. The error is a *FieldError.
func NewQuietHours(start, end, zone string) (*QuietHours, error) {
	q := &QuietHours{}
	var err error
	if q.Start, err = parseClock(start); err != nil {
		return nil, &FieldError{"quiet_hours.start", err.Error()}
	}
	if q.End, err = parseClock(end); err != nil {
		return nil, &FieldError{"quiet_hours.end", err.Error()}
	}
	if q.Start == q.End {
		return nil, &FieldError{"quiet_hours.end", "must differ from the start"}
	}
	if q.Zone, err = events.LoadZone(zone); err != nil {
		return nil, &FieldError{"quiet_hours.timezone", "must be an IANA time zone, for example Europe/London"}
	}
	return q, nil
}

var errClock = errors.New("must be a time of day like 07:30")

func parseClock(s string) (time.Duration, error) {
	t, err := time.Parse(clockLayout, s)
	if err != nil || len(s) != len(clockLayout) {
		return 0, errClock
	}
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, nil
}

// StartClock returns the start as HH:MM.
func (q *QuietHours) StartClock() string { return formatClock(q.Start) }

// EndClock returns the end as HH:MM.
func (q *QuietHours) EndClock() string { return formatClock(q.End) }

func formatClock(d time.Duration) string {
	return fmt.Sprintf("%02d:%02d", int(d.Hours()), int(d.Minutes())%60)
}

// EndAt reports whether t is in the quiet hours and, if so, returns their end, which is after t. On a day on which the
// clocks change, quiet hours begin and end when the clocks first show their times.
func (q *QuietHours) EndAt(t time.Time) (end time.Time, quiet bool) {
	local := t.In(q.Zone)
	clock := time.Duration(local.Hour())*time.Hour + time.Duration(local.Minute())*time.Minute
	day := local.Day()
	switch {
	case q.Start < q.End:
		if clock < q.Start || clock >= q.End {
			return time.Time{}, false
		}
	case clock >= q.Start: // before midnight
		day++
	case clock >= q.End:
		return time.Time{}, false
	}
	end = place(time.Date(local.Year(), local.Month(), day, 0, 0, 0, 0, time.UTC).Add(q.End), q.Zone)
	// When the clocks are set back, the end may have passed at the first of two equal wall-clock times.
	return end, end.After(t)
}

// place returns the first instant at which the clocks of zone show wall, a wall-clock time stored as UTC. A skipped time
// moves later by the gap. time.Date does not define which of two instants it returns.
func place(wall time.Time, zone *time.Location) time.Time {
	// No zone changes its offset twice within these two days.
	_, before := wall.Add(-24 * time.Hour).In(zone).Zone()
	_, after := wall.Add(24 * time.Hour).In(zone).Zone()
	for _, offset := range []int{max(before, after), min(before, after)} {
		t := wall.Add(-time.Duration(offset) * time.Second)
		if _, at := t.In(zone).Zone(); at == offset {
			return t
		}
	}
	return wall.Add(-time.Duration(before) * time.Second)
}
