package domain

import (
	"time"

	"github.com/google/uuid"
)

// maxOccurrence is larger than any series, and fits the database column.
const maxOccurrence = 1_000_000_000

// Origin has the values of an imported task that a client cannot write into other tasks. A zero value means the same as for a new
// task.
type Origin struct {
	SeriesID               string
	OccurrenceNo           int
	CreatedAt, CompletedAt *time.Time
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
	if t.Recurrence != nil && t.Recurrence.Timezone == t.Timezone {
		t.RuleZone = false // an export always names the zone
	}
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
