package events

import "time"

// Event is the common part of the events: how an event is published, validated and encoded.
type Event interface {
	// ID returns the event_id. Consumers de-duplicate on it. It is also the id of the CloudEvent.
	ID() string
	// Name returns the kind of event, for example TaskEvent. It is the type of the CloudEvent.
	Name() string
	// Topic returns the topic on which the event is published.
	Topic() string
	// Key returns the partition key, the user_id: the events of one user keep their order.
	Key() string
	// Subject returns the task_id, or the user_id of an event about no task. It is the subject of the CloudEvent.
	Subject() string
	// Validate returns nil, or a *ValidationError that names the first field that breaks a rule.
	Validate() error
	// Encode validates the event and returns it as JSON. The error is a *ValidationError.
	Encode() ([]byte, error)
}

// TaskEvent is the full record of one change of a task: what happened, who did it, and the task after it. The audit log and
// the recurrence engine consume it.
type TaskEvent struct {
	// EventID is a UUIDv7 made in the transaction of the change; consumers de-duplicate on it.
	EventID string `json:"event_id"`
	// SchemaVersion is the version of the format; absent or 1 is the original form.
	SchemaVersion int `json:"schema_version"`
	// EventType is what happened to the task.
	EventType Type `json:"event_type"`
	// TaskID is the task that changed.
	TaskID string `json:"task_id"`
	// UserID is the owner of the task.
	UserID string `json:"user_id"`
	// TaskData is the task right after the change.
	TaskData TaskData `json:"task_data"`
	// TaskVersion is the task's version after the change; consumers ignore an older one. 0 (unknown) in the original form.
	TaskVersion int64 `json:"task_version"`
	// Seq is the owner's change number: no gaps, in commit order. 0 (unknown) in the original form.
	Seq int64 `json:"seq"`
	// Changes are the fields that changed, each with its value before and after.
	Changes []Change `json:"changes,omitempty"`
	// Actor is who made the change: a user's id or a service's name.
	Actor string `json:"actor,omitempty"`
	// CausationID is the id of the event or request that led to this one.
	CausationID string `json:"causation_id,omitempty"`
	// Timestamp is when the change was made.
	Timestamp time.Time `json:"timestamp"`
}

// TaskUpdateEvent informs open browsers of one change of a task. It has the task after the change, but not who made the
// change or what the task was before.
type TaskUpdateEvent struct {
	// EventID is a UUIDv7 made in the transaction of the change; consumers de-duplicate on it.
	EventID string `json:"event_id"`
	// SchemaVersion is the version of the format; absent or 1 is the original form.
	SchemaVersion int `json:"schema_version"`
	// EventType is what happened to the task.
	EventType Type `json:"event_type"`
	// TaskID is the task that changed.
	TaskID string `json:"task_id"`
	// UserID is the owner of the task, whose browsers receive the event.
	UserID string `json:"user_id"`
	// TaskData is the task right after the change.
	TaskData TaskData `json:"task_data"`
	// TaskVersion is the task's version after the change; consumers ignore an older one. 0 (unknown) in the original form.
	TaskVersion int64 `json:"task_version"`
	// Seq is the owner's change number: no gaps, in commit order. 0 (unknown) in the original form.
	Seq int64 `json:"seq"`
	// Timestamp is when the change was made.
	Timestamp time.Time `json:"timestamp"`
}

// ReminderEvent schedules, moves or cancels the reminder of a task. When the user's zone changes, the event of one reminder is
// published again with the same task_version, for its timezone.
type ReminderEvent struct {
	// EventID is a UUIDv7 made in the transaction of the change; consumers de-duplicate on it.
	EventID string `json:"event_id"`
	// SchemaVersion is the version of the format; absent or 1 is the original form.
	SchemaVersion int `json:"schema_version"`
	// EventType is what happens to the reminder; absent means scheduled.
	EventType Type `json:"event_type"`
	// TaskID is the task that the reminder is about.
	TaskID string `json:"task_id"`
	// UserID is the user to remind.
	UserID string `json:"user_id"`
	// Title is the title of the task.
	Title string `json:"title"`
	// DueAt is when the task is due; a date-only due date is the end of that day in the task's zone. May be absent when cancelled.
	DueAt time.Time `json:"due_at,omitzero"`
	// DueDate is the day on which the task is due (YYYY-MM-DD), for a task without a time of day; due_at is then the end of that day.
	DueDate string `json:"due_date,omitempty"`
	// Timezone is the IANA zone of the user, in which texts name times; the newest event of a user decides. Absent in an event of an older version.
	Timezone string `json:"timezone,omitempty"`
	// RemindAt is when to remind. May be absent when cancelled.
	RemindAt time.Time `json:"remind_at,omitzero"`
	// TaskVersion is the task's version after the change; an older event never moves a newer reminder. 0 (unknown) in the original form.
	TaskVersion int64 `json:"task_version"`
	// Timestamp is when the change was made.
	Timestamp time.Time `json:"timestamp"`
}

// NotificationEvent is one change of the user's inbox: a new notification, or one that was read. Open browsers follow it.
type NotificationEvent struct {
	// EventID is a UUIDv7 made in the transaction of the change; consumers de-duplicate on it.
	EventID string `json:"event_id"`
	// SchemaVersion is the version of the format; this event has no original form.
	SchemaVersion int `json:"schema_version"`
	// EventType is what happened in the inbox; absent means added. The set is open: a reader passes over a type that it does not know, but counts its notification_seq.
	EventType Type `json:"event_type"`
	// NotificationSeq is the number of this change of the user's inbox: no gaps, in commit order, from 1. 0 (unknown) in an event of an older version.
	NotificationSeq int64 `json:"notification_seq"`
	// Unread is the number of unread notifications in the inbox right after the change. It is known only with a notification_seq.
	Unread int64 `json:"unread"`
	// NotificationID is the notification's id in the inbox.
	NotificationID string `json:"notification_id"`
	// TaskID is the task that the notification is about.
	TaskID string `json:"task_id"`
	// UserID is the user who is notified.
	UserID string `json:"user_id"`
	// Kind is why the user is notified, for example reminder. The set is open.
	Kind string `json:"kind"`
	// Title is one line of text to show.
	Title string `json:"title"`
	// Body is further text; may be empty.
	Body string `json:"body"`
	// DueDate is the day on which the task is due (YYYY-MM-DD), for a task without a time of day; due_at is then the end of that day.
	DueDate string `json:"due_date,omitempty"`
	// DueAt is when the task is due.
	DueAt *time.Time `json:"due_at,omitempty"`
	// Late reports whether the reminder's time passed while the service was down.
	Late bool `json:"late"`
	// ReadAt is when the user read the notification; absent while it is unread.
	ReadAt *time.Time `json:"read_at,omitempty"`
	// Timestamp is when the change was made.
	Timestamp time.Time `json:"timestamp"`
}

// The names of the events. They are the types of their CloudEvents.
const (
	NameTaskEvent          = "TaskEvent"
	NameTaskUpdateEvent    = "TaskUpdateEvent"
	NameSessionUpdateEvent = "SessionUpdateEvent"
	NameReminderEvent      = "ReminderEvent"
	NameNotificationEvent  = "NotificationEvent"
	NameAccountEvent       = "AccountEvent"
)

var (
	_ Event = TaskEvent{}
	_ Event = TaskUpdateEvent{}
	_ Event = SessionUpdateEvent{}
	_ Event = ReminderEvent{}
	_ Event = NotificationEvent{}
	_ Event = AccountEvent{}
)

// ID implements Event.
func (e TaskEvent) ID() string { return e.EventID }

// Name implements Event.
func (e TaskEvent) Name() string { return NameTaskEvent }

// Topic implements Event.
func (e TaskEvent) Topic() string { return TopicTaskEvents }

// Key implements Event.
func (e TaskEvent) Key() string { return e.UserID }

// Subject implements Event.
func (e TaskEvent) Subject() string { return e.TaskID }

// ID implements Event.
func (e TaskUpdateEvent) ID() string { return e.EventID }

// Name implements Event.
func (e TaskUpdateEvent) Name() string { return NameTaskUpdateEvent }

// Topic implements Event.
func (e TaskUpdateEvent) Topic() string { return TopicTaskUpdates }

// Key implements Event.
func (e TaskUpdateEvent) Key() string { return e.UserID }

// Subject implements Event.
func (e TaskUpdateEvent) Subject() string { return e.TaskID }

// ID implements Event.
func (e ReminderEvent) ID() string { return e.EventID }

// Name implements Event.
func (e ReminderEvent) Name() string { return NameReminderEvent }

// Topic implements Event.
func (e ReminderEvent) Topic() string { return TopicReminders }

// Key implements Event.
func (e ReminderEvent) Key() string { return e.UserID }

// Subject implements Event.
func (e ReminderEvent) Subject() string { return e.TaskID }

// ID implements Event.
func (e NotificationEvent) ID() string { return e.EventID }

// Name implements Event.
func (e NotificationEvent) Name() string { return NameNotificationEvent }

// Topic implements Event.
func (e NotificationEvent) Topic() string { return TopicNotifications }

// Key implements Event.
func (e NotificationEvent) Key() string { return e.UserID }

// Subject implements Event.
func (e NotificationEvent) Subject() string { return e.TaskID }
