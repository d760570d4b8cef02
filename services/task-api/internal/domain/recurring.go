package domain

import (
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/recurrence"
)

// setRecurrence sets the rule. A task that begins to recur becomes the first occurrence of a new series. It stays in the series when
// the rule is changed or removed later.
func (t *Task) setRecurrence(p *problems, f Fields, whole bool) {
	if !f.Recurrence.Set && !whole {
		return
	}
	if !f.Recurrence.HasValue() {
		t.Recurrence = nil
		return
	}
	r := f.Recurrence.Value
	r.RRule = strings.ToUpper(strings.TrimSpace(r.RRule))
	if _, err := recurrence.Parse(r.RRule); err != nil {
		p.add("recurrence.rrule", err.Error())
	}
	if r.Anchor == "" {
		r.Anchor = events.AnchorSchedule
	}
	if !r.Anchor.Valid() {
		p.add("recurrence.anchor", "must be schedule or completion")
	}
	if r.Timezone == "" {
		r.Timezone = t.Timezone
	} else if _, ok := Zone(r.Timezone); !ok {
		p.add("recurrence.timezone", "must be an IANA time zone, like Europe/London")
	}
	t.Recurrence = &r
	if t.SeriesID == "" {
		t.SeriesID, t.OccurrenceNo = uuid.NewString(), 1
	}
}

// SuccessorID returns the id of an occurrence: the UUIDv5 of its series and number. It is the same on every replica and on every
// attempt. The error says that seriesID is not a UUID.
func SuccessorID(seriesID string, occurrenceNo int) (string, error) {
	series, err := uuid.Parse(seriesID)
	if err != nil {
		return "", err
	}
	return uuid.NewSHA1(series, []byte(strconv.Itoa(occurrenceNo))).String(), nil
}

// Next has the due date and the reminder time of the next occurrence, as computed from the rule.
type Next struct {
	DueDate         string
	DueAt, RemindAt *time.Time
}

// Successor returns the task that follows done in its series. It copies the values that the user wrote; status, times and numbers are
// new. The result depends only on the arguments. The error is ErrSeriesEnded, ErrNotRecurring or *Invalid.
func Successor(done Task, next Next, now time.Time) (Task, error) {
	if done.DeletedAt != nil {
		return Task{}, ErrSeriesEnded
	}
	if done.SeriesID == "" {
		return Task{}, ErrNotRecurring
	}
	t := done.clone()
	id, err := SuccessorID(done.SeriesID, done.OccurrenceNo+1)
	if err != nil {
		return Task{}, err
	}
	at := Instant(now)
	t.ID, t.OccurrenceNo = id, done.OccurrenceNo+1
	t.Status, t.CompletedAt, t.DeletedAt, t.CreatedAt, t.UpdatedAt = events.StatusPending, nil, nil, at, at
	t.Version, t.Seq = 0, 0
	t.DueDate, t.DueAt, t.RemindAt = next.DueDate, next.DueAt, next.RemindAt
	zone, ok := Zone(zoneOf(done))
	if !ok {
		return Task{}, &Invalid{Fields: []FieldError{{"recurrence.timezone", "must be an IANA time zone"}}}
	}
	t.DueAt, t.DueClock = keepClock(done.DueAt, done.DueClock, next.DueAt, zone)
	t.RemindAt, t.RemindClock = keepClock(done.RemindAt, done.RemindClock, next.RemindAt, zone)
	var p problems
	t.checkDue(&p)
	t.checkRange(&p)
	return t, p.err(false)
}

func zoneOf(t Task) string {
	if t.Recurrence != nil && t.Recurrence.Timezone != "" {
		return t.Recurrence.Timezone
	}
	return t.Timezone
}

// keepClock moves the next instant to the time of day of the series. If the clocks skip that time on the next day, it also returns the
// time of day to remember. was is the previous instant, and remembered its remembered time of day.
func keepClock(was *time.Time, remembered *time.Duration, next *time.Time, zone *time.Location) (*time.Time, *time.Duration) {
	if was == nil || next == nil {
		return next, nil
	}
	meant := recurrence.Clock(*was, zone)
	if remembered != nil {
		meant = *remembered
	}
	at := Instant(recurrence.AtClock(*next, meant, zone))
	if recurrence.Clock(at, zone) == meant {
		return &at, nil
	}
	return &at, &meant
}

// checkRange applies the limits for times in a request to the times of a successor.
func (t *Task) checkRange(p *problems) {
	for field, at := range map[string]*time.Time{"due_at": t.DueAt, "remind_at": t.RemindAt} {
		if at != nil && (at.Year() < MinYear || at.Year() > MaxYear) {
			p.add(field, "must be in the years 1900 to 9998")
		}
	}
	if day, err := time.Parse(time.DateOnly, t.DueDate); t.DueDate != "" && (err != nil || day.Year() > MaxYear) {
		p.add("due_date", "must be a date from 1900-01-01 to 9998-12-31")
	}
}
