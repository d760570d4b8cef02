package domain

// This file decides what "this one only" and "this and following" mean for a change of a recurring task.

import (
	"reflect"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

// Scope is how far a change of a recurring task reaches.
type Scope string

// The scopes. ScopeFollowing is the default.
const (
	ScopeThis      Scope = "this"      // Only this occurrence: the occurrences that follow keep the values of the series.
	ScopeFollowing Scope = "following" // This occurrence and those that follow.
)

// Pattern has the values of a series that its next occurrence gets, where this occurrence has others.
type Pattern struct {
	Title       string             `json:"title"`
	Description string             `json:"description"`
	Priority    events.Priority    `json:"priority"`
	Tags        []string           `json:"tags"`
	StartDate   string             `json:"start_date,omitempty"`
	StartAt     *time.Time         `json:"start_at,omitempty"`
	DueDate     string             `json:"due_date,omitempty"`
	DueAt       *time.Time         `json:"due_at,omitempty"`
	Timezone    string             `json:"timezone"`
	RemindAt    *time.Time         `json:"remind_at,omitempty"`
	Recurrence  *events.Recurrence `json:"recurrence,omitempty"`
	RuleZone    bool               `json:"rule_zone,omitempty"`
	StartClock  *time.Duration     `json:"start_clock,omitempty"`
	DueClock    *time.Duration     `json:"due_clock,omitempty"`
	RemindClock *time.Duration     `json:"remind_clock,omitempty"`
}

// pattern returns the values of t that its successor gets.
func (t Task) pattern() *Pattern {
	t = t.clone()
	return &Pattern{
		Title: t.Title, Description: t.Description, Priority: t.Priority, Tags: t.Tags,
		StartDate: t.StartDate, StartAt: t.StartAt, DueDate: t.DueDate, DueAt: t.DueAt, Timezone: t.Timezone, RemindAt: t.RemindAt,
		Recurrence: t.Recurrence, RuleZone: t.RuleZone, StartClock: t.StartClock, DueClock: t.DueClock, RemindClock: t.RemindClock,
	}
}

// Series returns t with the values of its series instead of its own.
func (t Task) Series() Task {
	p := t.Pattern
	if p == nil {
		return t
	}
	t.Title, t.Description, t.Priority, t.Tags = p.Title, p.Description, p.Priority, p.Tags
	t.StartDate, t.StartAt, t.DueDate, t.DueAt, t.Timezone, t.RemindAt = p.StartDate, p.StartAt, p.DueDate, p.DueAt, p.Timezone, p.RemindAt
	t.Recurrence, t.RuleZone = p.Recurrence, p.RuleZone
	t.StartClock, t.DueClock, t.RemindClock, t.Pattern = p.StartClock, p.DueClock, p.RemindClock, nil
	return t.clone()
}

// setPattern applies the scope of a change. With ScopeThis, the values before the change become those of the series, unless the task
// is an exception already. With ScopeFollowing, the change is made in the series too.
func (t *Task) setPattern(p *problems, before Task, f Fields, d Defaults, whole bool) {
	scope := ScopeFollowing
	if f.Scope.HasValue() {
		scope = f.Scope.Value
		if scope != ScopeThis && scope != ScopeFollowing {
			p.add("scope", "must be this or following")
			return
		}
		if before.Recurrence == nil {
			p.add("scope", "is only for a recurring task")
			return
		}
	}
	switch {
	case scope == ScopeThis && !sameRecurrence(t.Recurrence, before.Recurrence):
		if f.Recurrence.Set || whole {
			p.add("scope", "must be following for a change of the recurrence")
			return
		}
		fallthrough // the rule's zone follows the task's zone
	case scope == ScopeThis:
		if t.Pattern == nil {
			t.Pattern = before.pattern()
		}
	case t.Pattern != nil:
		of := before.Series()
		of.set(p, f, d, whole)
		t.Pattern = of.pattern()
	}
	if t.Pattern != nil && reflect.DeepEqual(t.Pattern, t.pattern()) {
		t.Pattern = nil
	}
	if !SamePattern(before, *t) {
		t.SeriesEnds = t.ends()
	}
}

// SamePattern reports whether two states of a task have the same values of their series.
func SamePattern(a, b Task) bool { return reflect.DeepEqual(a.Pattern, b.Pattern) }
