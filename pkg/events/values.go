package events

import "slices"

// SchemaVersion is the version that producers write. An event without schema_version, or with 1, is in the original form.
// The decoders accept the original form for ever.
const SchemaVersion = 2

// originalVersion is the SchemaVersion of an event that was decoded from the original form.
const originalVersion = 1

// Type is what happened. The set is open: a decoder returns ErrUnknownType for a type that it does not know.
type Type string

// What happens to a task: the types of a TaskEvent and of a TaskUpdateEvent.
const (
	Created   Type = "created"   // The task is new.
	Updated   Type = "updated"   // A field changed, and none of the types below applies.
	Completed Type = "completed" // The status became completed.
	Reopened  Type = "reopened"  // A completed or cancelled task is open again.
	Deleted   Type = "deleted"   // The task was deleted; task_data is its last state, with deleted_at.
	Restored  Type = "restored"  // A deleted task was restored.
)

// What happens to a reminder: the types of a ReminderEvent.
const (
	Scheduled Type = "scheduled" // Remind at remind_at; this replaces the task's earlier reminder.
	Cancelled Type = "cancelled" // The task no longer has a reminder.
)

// What happens in a user's inbox: the types of a NotificationEvent.
const (
	Added  Type = "added"  // The notification is new: show it to the user.
	Listed Type = "listed" // The notification is new, but the user wants it only in the list: do not show it.
	Read   Type = "read"   // The user has read the notification, or has put it off.
)

// TaskTypes returns the types that a TaskEvent and a TaskUpdateEvent have.
func TaskTypes() []Type {
	return []Type{Created, Updated, Completed, Reopened, Deleted, Restored}
}

// ReminderTypes returns the types that a ReminderEvent has.
func ReminderTypes() []Type { return []Type{Scheduled, Cancelled} }

// NotificationTypes returns the types that a NotificationEvent has.
func NotificationTypes() []Type { return []Type{Added, Listed, Read} }

// Status is the progress of a task. The set is closed within a schema version.
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

// Priority is the importance of a task. The set is closed within a schema version.
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

// Anchor is the point from which the next occurrence of a recurring task is counted.
type Anchor string

// The anchors of a recurrence. AnchorSchedule is the default.
const (
	AnchorSchedule   Anchor = "schedule"   // Count from the due date of this occurrence, even if it was completed late.
	AnchorCompletion Anchor = "completion" // Count from the day on which it was completed.
)

// Anchors returns every anchor.
func Anchors() []Anchor { return []Anchor{AnchorSchedule, AnchorCompletion} }

// Valid reports whether a is one of Anchors.
func (a Anchor) Valid() bool { return slices.Contains(Anchors(), a) }

// CatchUp is what follows an occurrence of a recurring task that is completed late, with the anchor schedule.
type CatchUp string

// The values of catch_up. CatchUpNext is the default.
const (
	CatchUpNext CatchUp = "next" // The first occurrence that is not over yet.
	CatchUpAll  CatchUp = "all"  // The next occurrence of the rule, even if it is over: missed occurrences come one by one.
)

// CatchUps returns every value of catch_up.
func CatchUps() []CatchUp { return []CatchUp{CatchUpNext, CatchUpAll} }

// Valid reports whether c is one of CatchUps.
func (c CatchUp) Valid() bool { return slices.Contains(CatchUps(), c) }

// The kinds of notification that this system creates. The set is open: a client shows a notification of an unknown kind by
// its title and body.
const (
	KindReminder = "reminder" // The remind_at of a task is reached.
)
