package events

import (
	"fmt"
	"strconv"
	"time"
)

// Validate returns nil, or a *ValidationError that names the first field that breaks a rule.
func (e TaskEvent) Validate() error {
	var c checker
	c.envelope(e.EventID, e.SchemaVersion, e.TaskID, e.UserID, e.Timestamp)
	oneOf(&c, "event_type", e.EventType, TaskTypes())
	c.change(e.SchemaVersion, e.TaskVersion, e.Seq)
	c.task(e.TaskData, e.SchemaVersion, e.TaskID, e.UserID, e.TaskVersion, e.Seq)
	c.must(len(e.Changes) <= MaxChanges, "changes", fmt.Sprintf("has more than %d entries", MaxChanges))
	for i, ch := range e.Changes {
		c.changed(i, ch)
	}
	c.text("actor", e.Actor, fromVersion2(e.SchemaVersion), MaxActor)
	c.text("causation_id", e.CausationID, 0, MaxCausationID)
	return c.result()
}

// Validate returns nil, or a *ValidationError that names the first field that breaks a rule.
func (e TaskUpdateEvent) Validate() error {
	var c checker
	c.envelope(e.EventID, e.SchemaVersion, e.TaskID, e.UserID, e.Timestamp)
	oneOf(&c, "event_type", e.EventType, TaskTypes())
	c.change(e.SchemaVersion, e.TaskVersion, e.Seq)
	c.task(e.TaskData, e.SchemaVersion, e.TaskID, e.UserID, e.TaskVersion, e.Seq)
	return c.result()
}

// Validate returns nil, or a *ValidationError that names the first field that breaks a rule. A scheduled reminder needs due_at
// and remind_at; a cancelled reminder may omit them.
func (e ReminderEvent) Validate() error {
	var c checker
	c.envelope(e.EventID, e.SchemaVersion, e.TaskID, e.UserID, e.Timestamp)
	oneOf(&c, "event_type", e.EventType, ReminderTypes())
	c.text("title", e.Title, 1, MaxTitle)
	if e.EventType != Cancelled || !e.DueAt.IsZero() {
		c.time("due_at", e.DueAt)
	}
	if e.EventType != Cancelled || !e.RemindAt.IsZero() {
		c.time("remind_at", e.RemindAt)
	}
	c.optionalDate("due_date", e.DueDate)
	if e.Timezone != "" {
		c.zone("timezone", e.Timezone)
	}
	c.number("task_version", e.TaskVersion, int64(fromVersion2(e.SchemaVersion)))
	return c.result()
}

// Validate returns nil, or a *ValidationError that names the first field that breaks a rule.
func (e NotificationEvent) Validate() error {
	var c checker
	c.envelope(e.EventID, e.SchemaVersion, e.TaskID, e.UserID, e.Timestamp)
	c.must(e.SchemaVersion != originalVersion, "schema_version", "is 1, and this event has no original form")
	c.text("event_type", string(e.EventType), 1, MaxEventType)
	c.number("notification_seq", e.NotificationSeq, 0)
	c.number("unread", e.Unread, 0)
	c.id("notification_id", e.NotificationID)
	c.text("kind", e.Kind, 1, MaxKind)
	c.text("title", e.Title, 1, MaxTitle)
	c.text("body", e.Body, 0, MaxBody)
	c.optionalDate("due_date", e.DueDate)
	c.optionalTime("due_at", e.DueAt)
	c.optionalTime("read_at", e.ReadAt)
	return c.result()
}

// envelope checks the fields that every event about a task has.
func (c *checker) envelope(eventID string, version int, taskID, userID string, at time.Time) {
	c.version(eventID, version)
	c.id("task_id", taskID)
	c.id("user_id", userID)
	c.time("timestamp", at)
}

// account checks the fields that an event about an account has. Such an event has no original form.
func (c *checker) account(eventID string, version int, userID string, at time.Time) {
	c.version(eventID, version)
	c.must(version != originalVersion, "schema_version", "is 1, and this event has no original form")
	c.id("user_id", userID)
	c.time("timestamp", at)
}

func (c *checker) version(eventID string, version int) {
	c.id("event_id", eventID)
	switch {
	case version == 0:
		c.fail("schema_version", reasonMissing)
	case version < originalVersion || version > SchemaVersion:
		c.fail("schema_version", fmt.Sprintf("is not %d, or %d for the original form", SchemaVersion, originalVersion))
	}
}

// fromVersion2 returns the smallest value (or length) of a field that is required since schema version 2.
func fromVersion2(version int) int {
	if version >= 2 {
		return 1
	}
	return 0
}

func (c *checker) change(version int, taskVersion, seq int64) {
	least := int64(fromVersion2(version))
	c.number("task_version", taskVersion, least)
	c.number("seq", seq, least)
}

// task checks task_data, and that its ids, version and seq are those of the event.
func (c *checker) task(d TaskData, schema int, taskID, userID string, version, seq int64) {
	c.prefix = "task_data."
	defer func() { c.prefix = "" }()
	c.id("id", d.ID)
	c.must(d.ID == taskID, "id", "is not the event's task_id")
	c.id("user_id", d.UserID)
	c.must(d.UserID == userID, "user_id", "is not the event's user_id")
	c.text("title", d.Title, 1, MaxTitle)
	c.text("description", d.Description, 0, MaxDescription)
	oneOf(c, "status", d.Status, Statuses())
	oneOf(c, "priority", d.Priority, Priorities())
	c.must(len(d.Tags) <= MaxTags, "tags", fmt.Sprintf("has more than %d entries", MaxTags))
	for i, tag := range d.Tags {
		if c.err == nil {
			c.text("tags["+strconv.Itoa(i)+"]", tag, 1, MaxTag)
		}
	}
	c.moment("start_date", d.StartDate, "start_at", d.StartAt)
	c.moment("due_date", d.DueDate, "due_at", d.DueAt)
	c.zone("timezone", d.Timezone)
	c.optionalTime("remind_at", d.RemindAt)
	if r := d.Recurrence; r != nil {
		c.recurrence(*r)
	}
	c.optionalID("series_id", d.SeriesID)
	c.number("occurrence_no", int64(d.OccurrenceNo), 0)
	c.finite("position", d.Position)
	c.number("version", d.Version, int64(fromVersion2(schema)))
	c.number("seq", d.Seq, int64(fromVersion2(schema)))
	if schema >= 2 {
		c.must(d.Version == version, "version", "is not the event's task_version")
		c.must(d.Seq == seq, "seq", "is not the event's seq")
	}
	c.stamps(d, schema)
}

// moment checks that a field is at most one of a day and an instant.
func (c *checker) moment(dayField, day, atField string, at *time.Time) {
	if day != "" {
		_, ok := parseDate(day)
		c.must(ok, dayField, reasonDate)
		c.must(at == nil, atField, "must not be set together with "+dayField)
	}
	c.optionalTime(atField, at)
}

func (c *checker) recurrence(r Recurrence) {
	c.text("recurrence.rrule", r.RRule, 1, MaxRRule)
	oneOf(c, "recurrence.anchor", r.Anchor, Anchors())
	c.zone("recurrence.timezone", r.Timezone)
	if r.CatchUp != "" {
		oneOf(c, "recurrence.catch_up", r.CatchUp, CatchUps())
	}
	c.must(len(r.ExDates) <= MaxExDates, "recurrence.exdates", fmt.Sprintf("has more than %d entries", MaxExDates))
	for i, day := range r.ExDates {
		if c.err == nil {
			_, ok := parseDate(day)
			c.must(ok, "recurrence.exdates["+strconv.Itoa(i)+"]", reasonDate)
		}
	}
}

func (c *checker) stamps(d TaskData, schema int) {
	if schema >= 2 || !d.CreatedAt.IsZero() {
		c.time("created_at", d.CreatedAt)
	}
	if schema >= 2 || !d.UpdatedAt.IsZero() {
		c.time("updated_at", d.UpdatedAt)
	}
	c.optionalTime("completed_at", d.CompletedAt)
	c.optionalTime("deleted_at", d.DeletedAt)
}

func (c *checker) changed(i int, ch Change) {
	if c.err != nil {
		return
	}
	c.prefix = "changes[" + strconv.Itoa(i) + "]."
	defer func() { c.prefix = "" }()
	c.text("field", ch.Field, 1, MaxFieldName)
	if _, err := cleanJSON(ch.From); err != nil {
		c.fail("from", err.Error())
	}
	if _, err := cleanJSON(ch.To); err != nil {
		c.fail("to", err.Error())
	}
}
