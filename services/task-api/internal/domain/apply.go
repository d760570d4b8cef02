package domain

import (
	"cmp"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/optional"
)

// Defaults has the default values that depend on the owner and on the time of the request.
type Defaults struct {
	Timezone string    // the owner's
	Now      time.Time // of the request
	Position float64   // of a new task that the request gives none: after every other task of the user
}

// New returns a new task of a user with the fields of a request. The store sets version and seq.
func New(id, userID string, f Fields, d Defaults) (Task, error) {
	now := Instant(d.Now)
	t := Task{TaskData: events.TaskData{
		ID: id, UserID: userID, Status: events.StatusPending, CreatedAt: now, UpdatedAt: now,
		Position: d.Position,
	}}
	var p problems
	for _, name := range readOnlyFields {
		if _, ok := f.readOnly[name]; ok {
			p.add(name, "is set by the server")
		}
	}
	if f.Scope.Set {
		p.add("scope", "is only for a change of a recurring task")
	}
	t.set(&p, f, d, true)
	if t.Recurrence != nil && !t.Open() && !p.has("status") {
		p.add("status", "must be pending or in_progress for a new recurring task")
	}
	return t, p.err(false)
}

// Replace replaces the fields of a task with those of a request (PUT). An omitted field takes its default. An omitted position
// stays, because the server chose it.
func Replace(t Task, f Fields, d Defaults) (Task, error) { return change(t, f, d, true) }

// Patch applies a JSON Merge Patch (RFC 7396).
func Patch(t Task, f Fields, d Defaults) (Task, error) { return change(t, f, d, false) }

func change(before Task, f Fields, d Defaults, whole bool) (Task, error) {
	t := before.clone()
	var p problems
	f.checkReadOnly(&p, before)
	t.set(&p, f, d, whole)
	t.setPattern(&p, before, f, d, whole)
	if err := p.err(false); err != nil {
		return before, err
	}
	return t, nil
}

// set writes the fields into t and checks the result. If whole is true, an omitted field takes its default.
func (t *Task) set(p *problems, f Fields, d Defaults, whole bool) {
	before := t.clone()
	t.setTexts(p, f, whole)
	t.setChoices(p, f, d, whole)
	t.setTimes(p, f, whole)
	t.setRecurrence(p, f, d, whole)
	if t.Recurrence != nil && !t.RuleZone {
		t.Recurrence.Timezone = t.Timezone
	}
	t.setStatus(before.Status, Instant(d.Now))
	t.checkTimes(p)
	t.forgetClocks(before)
	t.checkSeries(p, before)
}

func (t *Task) setTexts(p *problems, f Fields, whole bool) {
	switch {
	case f.Title.HasValue():
		t.Title = line(p, "title", f.Title.Value, 1, events.MaxTitle)
	case f.Title.Set:
		p.add("title", "must not be null")
	case whole:
		p.add("title", "is required")
	}
	if f.Description.Set || whole {
		t.Description = text(p, "description", f.Description.Value, events.MaxDescription)
	}
	if f.Tags.Set || whole || t.Tags == nil {
		t.Tags = tags(p, f.Tags.Value)
	}
}

func (t *Task) setChoices(p *problems, f Fields, d Defaults, whole bool) {
	switch {
	case f.Status.HasValue():
		if t.Status = f.Status.Value; !t.Status.Valid() {
			p.add("status", "must be pending, in_progress, completed or cancelled")
		}
	case f.Status.Set || whole:
		t.Status = events.StatusPending
	}
	switch {
	case f.Priority.HasValue():
		if t.Priority = f.Priority.Value; !t.Priority.Valid() {
			p.add("priority", "must be low, medium, high or urgent")
		}
	case f.Priority.Set || whole:
		t.Priority = events.PriorityMedium
	}
	if f.Timezone.Set || whole {
		t.Timezone = d.Timezone
		if f.Timezone.HasValue() {
			t.Timezone = f.Timezone.Value
		}
		if _, ok := Zone(t.Timezone); !ok {
			p.add("timezone", "must be an IANA time zone, like Europe/London")
		}
	}
	if f.Position.HasValue() {
		t.Position = f.Position.Value
	} else if f.Position.Set {
		p.add("position", "must not be null")
	}
}

func (t *Task) setTimes(p *problems, f Fields, whole bool) {
	day := func(field string, o optional.Field[string], target *string) {
		if !o.Set && !whole {
			return
		}
		*target = o.Value
		if d, err := time.Parse(time.DateOnly, o.Value); o.HasValue() && (err != nil || d.Year() < MinYear || d.Year() > MaxYear) {
			p.add(field, "must be a date from 1900-01-01 to 9998-12-31, like 2030-01-31")
		}
	}
	day("start_date", f.StartDate, &t.StartDate)
	day("due_date", f.DueDate, &t.DueDate)
	zone, ok := Zone(t.Timezone)
	if !ok {
		zone = time.UTC // setChoices has refused the zone
	}
	moment := func(field string, o optional.Field[Moment], at **time.Time, clock **time.Duration) {
		if !o.Set && !whole {
			return
		}
		if !o.HasValue() {
			*at, *clock = nil, nil
			return
		}
		v, meant := o.Value.in(zone)
		if *at == nil || !v.Equal(**at) || meant != nil {
			*clock = meant
		}
		if *at = &v; v.Year() < MinYear || v.Year() > MaxYear {
			p.add(field, "must be in the years 1900 to 9998")
		}
	}
	moment("start_at", f.StartAt, &t.StartAt, &t.StartClock)
	moment("due_at", f.DueAt, &t.DueAt, &t.DueClock)
	moment("remind_at", f.RemindAt, &t.RemindAt, &t.RemindClock)
}

// setStatus sets or clears completed_at to match the status.
func (t *Task) setStatus(before events.Status, now time.Time) {
	switch {
	case t.Status != events.StatusCompleted:
		t.CompletedAt = nil
	case before != events.StatusCompleted:
		t.CompletedAt = &now
	}
}

// checkTimes checks that start, due date, reminder and recurrence fit together after the change.
func (t *Task) checkTimes(p *problems) {
	if t.StartDate != "" && t.StartAt != nil {
		p.add("start_date", "must not be set together with start_at (set one of them to null)")
	}
	if t.DueDate != "" && t.DueAt != nil {
		p.add("due_date", "must not be set together with due_at (set one of them to null)")
	}
	if t.startsAfterDue() {
		p.add(cmp.Or(map[bool]string{true: "start_at"}[t.StartAt != nil], "start_date"), "must not be after the due date")
	}
	if t.RemindAt != nil && !t.HasDue() {
		p.add("remind_at", "needs a due date: set due_date or due_at too")
	}
	if t.Recurrence != nil && !t.HasDue() && !t.HasStart() {
		p.add("recurrence", "needs a date to count from: set due_date, due_at, start_date or start_at too")
	}
}

// startsAfterDue compares instants if both are instants, and otherwise the days in the task's zone.
func (t *Task) startsAfterDue() bool {
	if !t.HasStart() || !t.HasDue() {
		return false
	}
	if t.StartAt != nil && t.DueAt != nil {
		return t.StartAt.After(*t.DueAt)
	}
	zone, ok := Zone(t.Timezone)
	return ok && dayOf(t.StartDate, t.StartAt, zone) > dayOf(t.DueDate, t.DueAt, zone)
}

// dayOf returns the day (YYYY-MM-DD) of a date or an instant.
func dayOf(date string, at *time.Time, zone *time.Location) string {
	if at != nil {
		return at.In(zone).Format(time.DateOnly)
	}
	return date
}

// forgetClocks drops the remembered times of day when their zone changes.
func (t *Task) forgetClocks(before Task) {
	if before.Recurrence != nil && !sameRecurrence(t.Recurrence, before.Recurrence) {
		if sameInstant(t.StartAt, before.StartAt) {
			t.StartClock = nil
		}
		if sameInstant(t.DueAt, before.DueAt) {
			t.DueClock = nil
		}
	}
}
