package domain

import (
	"reflect"
	"time"

	"github.com/google/uuid"
	"github.com/taskwire/taskwire/pkg/recurrence"
)

// maxOccurrence is larger than any series, and fits the database column.
const maxOccurrence = 1_000_000_000

// Origin has the values of an imported task that a client cannot write into other tasks. A zero value means the same as for a new
// task.
type Origin struct {
	SeriesID               string
	OccurrenceNo           int
	CreatedAt, CompletedAt *time.Time
	Clocks                 Clocks
	// Pattern has the fields of the series, if the task is an exception of it, and PatternClocks its times of day; else no field is set.
	Pattern       Fields
	PatternClocks Clocks
}

// Clocks are the times of day that start, due date and reminder mean, where the clocks skip them; nil where they do not.
type Clocks struct{ Start, Due, Remind *time.Duration }

// Clocks returns the remembered times of day.
func (t Task) Clocks() Clocks { return Clocks{t.StartClock, t.DueClock, t.RemindClock} }

// setClocks remembers the times of day of an imported task. It ignores one that does not give the instant of the task.
func (t *Task) setClocks(c Clocks) {
	name := t.Timezone
	if t.Recurrence != nil {
		name = t.Recurrence.Timezone
	}
	zone, ok := Zone(name)
	if !ok {
		return
	}
	remember := func(target **time.Duration, at *time.Time, clock *time.Duration) {
		if at == nil || clock == nil || recurrence.Clock(*at, zone) == *clock {
			return
		}
		for _, day := range []time.Time{*at, at.AddDate(0, 0, -1)} { // a gap over midnight moves a time to the next day
			if recurrence.AtClock(day, *clock, zone).Equal(*at) {
				*target = clock
			}
		}
	}
	remember(&t.StartClock, t.StartAt, c.Start)
	remember(&t.DueClock, t.DueAt, c.Due)
	remember(&t.RemindClock, t.RemindAt, c.Remind)
}

// followZone makes the rule follow the task's zone if it has the same one: an export always names the zone.
func (t *Task) followZone() {
	if t.Recurrence != nil && t.Recurrence.Timezone == t.Timezone {
		t.RuleZone = false
	}
}

// importPattern makes the task an exception of its series: the occurrences that follow have the fields of the pattern.
func (t *Task) importPattern(p *problems, o Origin, d Defaults) {
	f := o.Pattern
	if !f.Title.Set || t.Recurrence == nil {
		return
	}
	of := Task{}
	of.ID, of.UserID, of.SeriesID, of.OccurrenceNo, of.CreatedAt = t.ID, t.UserID, t.SeriesID, t.OccurrenceNo, t.CreatedAt
	of.set(p, f, d, true)
	if of.Recurrence == nil {
		return // a series without a rule has no following occurrence
	}
	of.setClocks(o.PatternClocks)
	of.followZone()
	if t.Pattern = of.pattern(); reflect.DeepEqual(t.Pattern, t.pattern()) {
		t.Pattern = nil
	}
	t.SeriesEnds = t.ends()
}

// Import returns a new task of a user with the values of a task from another system. Its rules are those of New, with one exception:
// a recurring task may be completed or cancelled already. It then gets no successor, because the other system has that too. A
// reminder that is past does not fire.
func Import(id, userID string, f Fields, o Origin, d Defaults) (Task, error) {
	var p problems
	for _, name := range readOnlyFields {
		if _, ok := f.readOnly[name]; ok {
			p.add(name, "is set by the server")
		}
	}
	now := Instant(d.Now)
	t := Task{}
	t.ID, t.UserID, t.CreatedAt, t.UpdatedAt = id, userID, now, now
	t.Position = d.Position
	if _, err := uuid.Parse(o.SeriesID); o.SeriesID != "" && err == nil && o.OccurrenceNo > 0 && o.OccurrenceNo <= maxOccurrence {
		t.SeriesID, t.OccurrenceNo = o.SeriesID, o.OccurrenceNo
	} else if o.SeriesID != "" || o.OccurrenceNo != 0 {
		p.add("occurrence_no", "must be set together with series_id, and be from 1 to 1,000,000,000")
	}
	past := func(field string, at *time.Time) bool {
		if at != nil && (at.Year() < MinYear || at.After(now)) {
			p.add(field, "must be between the year 1900 and now")
			return false
		}
		return at != nil
	}
	if past("created_at", o.CreatedAt) {
		t.CreatedAt = Instant(*o.CreatedAt)
	}
	t.set(&p, f, d, true)
	t.setClocks(o.Clocks)
	t.followZone()
	t.importPattern(&p, o, d)
	t.Quiet = t.RemindAt != nil && !t.RemindAt.After(now)
	if past("completed_at", o.CompletedAt) {
		if at := Instant(*o.CompletedAt); t.CompletedAt != nil {
			t.CompletedAt = &at
		} else {
			p.add("completed_at", "must not be set for a task that is not completed")
		}
	}
	return t, p.err(false)
}
