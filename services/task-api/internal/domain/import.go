package domain

import (
	"time"

	"github.com/google/uuid"
)

// maxOccurrence is beyond every series, and fits the column.
const maxOccurrence = 1_000_000_000

// Origin is what a task that comes from elsewhere brings along, beside what a client can write into any task. What is
// zero is as for a new task.
type Origin struct {
	SeriesID               string
	OccurrenceNo           int
	CreatedAt, CompletedAt *time.Time
}

// Import makes a task of a user from one that was kept elsewhere. It obeys the rules of New but one: a recurring task
// may be done already, and then nothing follows from it, because what followed was kept elsewhere too.
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
	t.Position = float64(now.UnixMicro()) / 1000 // the order of the file
	if _, err := uuid.Parse(o.SeriesID); o.SeriesID != "" && err == nil && o.OccurrenceNo > 0 && o.OccurrenceNo <= maxOccurrence {
		t.SeriesID, t.OccurrenceNo = o.SeriesID, o.OccurrenceNo
	} else if o.SeriesID != "" || o.OccurrenceNo != 0 {
		p.add("occurrence_no", "must stand beside series_id, and be from 1 to 1,000,000,000")
	}
	past := func(field string, at *time.Time) bool {
		if at != nil && (at.Year() < MinYear || at.After(now)) {
			p.add(field, "must lie between the year 1900 and now")
			return false
		}
		return at != nil
	}
	if past("created_at", o.CreatedAt) {
		t.CreatedAt = Instant(*o.CreatedAt)
	}
	t.set(&p, f, d, true)
	if past("completed_at", o.CompletedAt) {
		if at := Instant(*o.CompletedAt); t.CompletedAt != nil {
			t.CompletedAt = &at
		} else {
			p.add("completed_at", "does not fit a task that is not completed")
		}
	}
	return t, p.err(false)
}
