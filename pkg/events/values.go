package events

import "slices"

// SchemaVersion is the version that producers write. An event without schema_version, or with 1, is in the original
// form, which is decoded for ever.
const SchemaVersion = 2

// originalVersion is the SchemaVersion of an event that was decoded from the original form.
const originalVersion = 1

// Type says what happened. The set is open: a decoder that meets a type it does not know answers ErrUnknownType.
type Type string

// What happens to a task: the types of a TaskEvent and of a TaskUpdateEvent.
const (
	Created   Type = "created"   // The task is new.
	Updated   Type = "updated"   // Any field changed, other than by the types below.
	Completed Type = "completed" // The status became completed.
	Reopened  Type = "reopened"  // A completed or cancelled task is open again.
	Deleted   Type = "deleted"   // The task is gone; task_data is its last state, with deleted_at.
	Restored  Type = "restored"  // A deleted task is back.
)

// What happens to a reminder: the types of a ReminderEvent.
const (
	Scheduled Type = "scheduled" // Remind at remind_at; takes the place of the reminder that the task had before.
	Cancelled Type = "cancelled" // The task has no reminder any more.
)

// TaskTypes returns the types that a TaskEvent and a TaskUpdateEvent have.
func TaskTypes() []Type {
	return []Type{Created, Updated, Completed, Reopened, Deleted, Restored}
}

// ReminderTypes returns the types that a ReminderEvent has.
func ReminderTypes() []Type { return []Type{Scheduled, Cancelled} }

// Status is how far a task is. The set is closed within a schema version.
type Status string

// The statuses of a task.
const (
	StatusPending    Status = "pending"
	StatusInProgress Status = "in_progress"
	StatusCompleted  Status = "completed"
	StatusCancelled  Status = "cancelled"
)

// Statuses returns every status.
func Statuses() []Status {
	return []Status{StatusPending, StatusInProgress, StatusCompleted, StatusCancelled}
}

// Valid reports whether s is one of Statuses.
func (s Status) Valid() bool { return slices.Contains(Statuses(), s) }

// Priority is how much a task matters. The set is closed within a schema version.
type Priority string

// The priorities of a task, least first. PriorityMedium is the default.
const (
	PriorityLow    Priority = "low"
	PriorityMedium Priority = "medium"
	PriorityHigh   Priority = "high"
	PriorityUrgent Priority = "urgent"
)

// Priorities returns every priority, least first.
func Priorities() []Priority {
	return []Priority{PriorityLow, PriorityMedium, PriorityHigh, PriorityUrgent}
}

// Valid reports whether p is one of Priorities.
func (p Priority) Valid() bool { return slices.Contains(Priorities(), p) }

// Anchor is what the next occurrence of a recurring task is counted from.
type Anchor string

// The anchors of a recurrence. AnchorSchedule is the default.
const (
	AnchorSchedule   Anchor = "schedule"   // From the due date of this occurrence, however late it was completed.
	AnchorCompletion Anchor = "completion" // From the moment it was completed.
)

// Anchors returns every anchor.
func Anchors() []Anchor { return []Anchor{AnchorSchedule, AnchorCompletion} }

// Valid reports whether a is one of Anchors.
func (a Anchor) Valid() bool { return slices.Contains(Anchors(), a) }

// The kinds of notification that this system makes. The set is open: a client shows a kind it does not know by its
// title and body.
const (
	KindReminder = "reminder" // The remind_at of a task has come.
)
