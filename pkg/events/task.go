package events

import (
	"encoding/json"
	"time"
)

// TaskData is the task as it was right after the change: the Task resource of the HTTP API.
type TaskData struct {
	// ID is the task's id; equals the event's task_id.
	ID string `json:"id"`
	// UserID is the owner; equals the event's user_id.
	UserID string `json:"user_id"`
	// Title is one line of text.
	Title string `json:"title"`
	// Description is free text; may be empty.
	Description string `json:"description"`
	// Status is the progress of the task.
	Status Status `json:"status"`
	// Priority is the importance of the task; medium when the original form omits it.
	Priority Priority `json:"priority"`
	// Tags are the user's labels, never null.
	Tags []string `json:"tags"`
	// StartDate is the day from which the task can be done (YYYY-MM-DD); never together with start_at, and not after the due date.
	StartDate string `json:"start_date,omitempty"`
	// StartAt is the instant from which the task can be done; never together with start_date.
	StartAt *time.Time `json:"start_at,omitempty"`
	// DueDate is the day on which the task is due (YYYY-MM-DD), for a task without a time of day; never together with due_at.
	DueDate string `json:"due_date,omitempty"`
	// DueAt is the instant at which the task is due; never together with due_date.
	DueAt *time.Time `json:"due_at,omitempty"`
	// Timezone is the IANA zone in which start_date, due_date and the recurrence are read; UTC when the original form omits it.
	Timezone string `json:"timezone"`
	// RemindAt is when the user wants to be reminded.
	RemindAt *time.Time `json:"remind_at,omitempty"`
	// Recurrence is the rule that gives the task's successor when it is completed.
	Recurrence *Recurrence `json:"recurrence,omitempty"`
	// SeriesID is the same for all occurrences of one recurring task.
	SeriesID string `json:"series_id,omitempty"`
	// OccurrenceNo is the number of this occurrence in its series.
	OccurrenceNo int `json:"occurrence_no,omitempty"`
	// SeriesEnds is true for the last task of a series: its rule gives no further occurrence.
	SeriesEnds bool `json:"series_ends,omitempty"`
	// Position is the place in a list that the user sorts by hand, ascending.
	Position float64 `json:"position"`
	// Version is 1 for a new task and grows by one with each change; equals the event's task_version.
	Version int64 `json:"version"`
	// Seq is the user's change number of this change; equals the event's seq.
	Seq int64 `json:"seq"`
	// CreatedAt is when the task was created.
	CreatedAt time.Time `json:"created_at,omitzero"`
	// UpdatedAt is when the task was last changed.
	UpdatedAt time.Time `json:"updated_at,omitzero"`
	// CompletedAt is when the task was completed; absent while it is not completed.
	CompletedAt *time.Time `json:"completed_at,omitempty"`
	// DeletedAt is when the task was deleted; absent while it is not deleted.
	DeletedAt *time.Time `json:"deleted_at,omitempty"`
}

// Recurrence is an RFC 5545 rule with its anchor, its time zone and its exceptions. The rule counts from the task's start (DTSTART
// in RFC 5545), and from its due date if there is no start.
type Recurrence struct {
	// RRule is an RFC 5545 recurrence rule without the "RRULE:" prefix, for example FREQ=WEEKLY;BYDAY=MO.
	RRule string `json:"rrule"`
	// Anchor is the point from which the next occurrence is counted; schedule when omitted.
	Anchor Anchor `json:"anchor"`
	// Timezone is the IANA zone in whose wall-clock time the rule is read; the task's zone when omitted.
	Timezone string `json:"timezone"`
	// CatchUp is what follows an occurrence that is completed late, with the anchor schedule; next when omitted.
	CatchUp CatchUp `json:"catch_up,omitempty"`
	// ExDates are days of the rule that are left out (EXDATE in RFC 5545), ascending; COUNT counts them.
	ExDates []string `json:"exdates,omitempty"`
}

// Change is one field of a task that changed.
type Change struct {
	// Field is the field's wire name, for example due_at.
	Field string `json:"field"`
	// From is the value before the change; null when there was none.
	From json.RawMessage `json:"from"`
	// To is the value after the change; null when there is none.
	To json.RawMessage `json:"to"`
}
