package domain

import (
	"fmt"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/recurrence"
)

// Upcoming are the occurrences of a series that are not tasks yet.
type Upcoming struct {
	Zone  string // of the rule
	Items []recurrence.Upcoming
	Ends  bool     // the series ends with the last item
	Notes []string // how the words of the rule were read, where they can mean something else too
}

// Occurrences returns at most limit occurrences that follow a task. A task that does not recur has none.
func Occurrences(t Task, now time.Time, limit int) (Upcoming, error) {
	was := t.Series()
	if was.Recurrence == nil {
		return Upcoming{Zone: t.Timezone, Ends: true}, nil
	}
	items, err := recurrence.Occurrences(was.TaskData, was.state(), now, limit+1)
	if err != nil {
		return Upcoming{}, &Invalid{Fields: []FieldError{{"recurrence", err.Error()}}}
	}
	up := Upcoming{Zone: was.Recurrence.Timezone, Items: items, Ends: len(items) <= limit}
	up.Items = items[:min(len(items), limit)]
	return up, nil
}

// Preview returns the rule that a new task with these fields would have, and its occurrences: the first and those that follow. A
// task without a date is due today. Only start, due date, timezone and recurrence of the fields matter.
func Preview(f Fields, d Defaults, limit int) (events.Recurrence, Upcoming, error) {
	var p problems
	if !f.Recurrence.HasValue() {
		p.add("recurrence", "is missing")
		return events.Recurrence{}, Upcoming{}, p.err(false)
	}
	var t Task
	t.Timezone = d.Timezone
	if f.Timezone.HasValue() {
		t.Timezone = f.Timezone.Value
	}
	zone, ok := Zone(t.Timezone)
	if !ok {
		p.add("timezone", "must be an IANA time zone, like Europe/London")
		return events.Recurrence{}, Upcoming{}, p.err(false)
	}
	dated := f.StartDate.HasValue() || f.StartAt.HasValue() || f.DueDate.HasValue() || f.DueAt.HasValue()
	if !dated && !f.Recurrence.Value.Text.HasValue() {
		f.DueDate.Set, f.DueDate.Value = true, d.Now.In(zone).Format(time.DateOnly)
	}
	f.Title.Set, f.Title.Value = true, "preview"
	t.set(&p, f, d, true)
	if err := p.err(false); err != nil {
		return events.Recurrence{}, Upcoming{}, err
	}
	first := recurrence.Upcoming{No: 1}
	first.Start = shown(t.StartDate, t.StartAt, t.StartClock, t.Recurrence.Timezone)
	first.Due = shown(t.DueDate, t.DueAt, t.DueClock, t.Recurrence.Timezone)
	up, err := Occurrences(t, time.Time{}, limit-1)
	if text := f.Recurrence.Value.Text; text.HasValue() {
		said, _ := t.said(text.Value, zone, d.Now) // set has refused words that cannot be read
		up.Notes = said.Notes
	}
	up.Items = append([]recurrence.Upcoming{first}, up.Items...)
	return *t.Recurrence, up, err
}

// shown returns a date of a task as an occurrence has it.
func shown(date string, at *time.Time, clock *time.Duration, zone string) recurrence.Moment {
	loc, ok := Zone(zone)
	if at == nil || !ok {
		return recurrence.Moment{Date: date}
	}
	local := at.In(loc)
	wall := time.Date(local.Year(), local.Month(), local.Day(), local.Hour(), local.Minute(), local.Second(), local.Nanosecond(), time.UTC)
	m := recurrence.AtWall(wall, loc)
	m.At = local // of two equal wall-clock times, the task may have the second
	if clock != nil {
		m.Gap = wall.Sub(wall.Truncate(24*time.Hour)) - *clock
	}
	return m
}

// phrase sets the rule from its words. Words that name a first day or a time of day set the due date, if the request sets no date.
func (t *Task) phrase(p *problems, r *events.Recurrence, f *Fields, d Defaults) {
	zone, ok := Zone(t.Timezone)
	if !ok {
		return // setChoices has refused the zone
	}
	given := &f.Recurrence.Value
	said, err := t.said(given.Text.Value, zone, d.Now)
	switch {
	case err != nil:
		p.add("recurrence.text", err.Error())
		return
	case !said.Recurs():
		p.add("recurrence.text", "is a date, not a recurrence")
		return
	}
	r.RRule = said.RRule
	if !given.Anchor.Set && (r.Anchor == "" || said.Anchor == events.AnchorCompletion) {
		r.Anchor = said.Anchor
	}
	switch dated := t.HasStart() || t.HasDue(); {
	case dated && (said.HasClock || said.Starts):
		p.add("recurrence.text", fmt.Sprintf("names a day or a time of day (%s), which the task has already: leave out one of them", said.Date))
	case dated:
	case said.HasClock:
		at := Instant(said.At)
		t.DueAt = &at
		if m := recurrence.AtWall(wallOf(said.Date, said.Clock), zone); m.Gap != 0 {
			t.DueClock = &said.Clock
		}
	default:
		t.DueDate = said.Date
	}
}

// said reads the words of a rule, which counts from the task's start or due date if there is one.
func (t *Task) said(text string, zone *time.Location, now time.Time) (recurrence.Phrase, error) {
	from := dayOf(t.StartDate, t.StartAt, zone)
	if !t.HasStart() {
		from = dayOf(t.DueDate, t.DueAt, zone)
	}
	return recurrence.ParseText(text, recurrence.TextOptions{Zone: zone, Now: now, Start: from})
}

func wallOf(date string, clock time.Duration) time.Time {
	day, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return time.Time{}
	}
	return day.Add(clock)
}
