package events

import (
	"encoding/json"
	"strings"
	"time"
)

// isOriginal reports whether an event is in the original form: it has no schema_version, or 1 from having been
// decoded before. Anything that is not a version at all is left to be refused.
func (f fields) isOriginal() bool {
	if f.null("schema_version") {
		return true
	}
	var version int
	err := json.Unmarshal(f["schema_version"], &version)
	return err == nil && version >= 0 && version <= originalVersion
}

// upcastTask turns the task_data of the original form into the current one. It is lenient where nothing is lost: ids
// that are absent or of another kind are those of the event, a task is completed when it says so in its own way, and
// times without a zone are UTC.
func (f fields) upcastTask() {
	d := fields{}
	if !f.null("task_data") {
		var err error
		if d, err = readFields(f["task_data"]); err != nil {
			return // and into says that task_data is not an object
		}
	}
	d.inherit("id", f.text("task_id"))
	d.inherit("user_id", f.text("user_id"))
	if d.empty("status") {
		d.setText("status", string(originalStatus(d, Type(f.text("event_type")))))
	}
	d.splitDue()
	for _, name := range []string{"remind_at", "created_at", "updated_at", "completed_at", "deleted_at"} {
		d.fixInstant(name, "")
	}
	if d.empty("recurrence") || strings.EqualFold(d.text("recurrence"), "none") {
		delete(d, "recurrence")
	}
	f["task_data"], _ = json.Marshal(d) // raw messages that were read can be written
}

// inherit gives the field the event's own id unless it has one that could be right.
func (f fields) inherit(name, id string) {
	if !isUUID(f.text(name)) {
		f.setText(name, id)
	}
}

// originalStatus is the status of a task that has none: "completed": true or false says it, or else what happened.
func originalStatus(d fields, happened Type) Status {
	completed := happened == Completed
	if raw, ok := d["completed"]; ok {
		var b bool
		if json.Unmarshal(raw, &b) == nil {
			completed = b
		}
	}
	if completed {
		return StatusCompleted
	}
	return StatusPending
}

// splitDue moves a due_date that has a time of day to due_at.
func (f fields) splitDue() {
	f.fixInstant("due_at", "")
	s := f.text("due_date")
	if len(s) <= len(time.DateOnly) {
		return
	}
	if t, ok := originalInstant(s, ""); ok && f.null("due_at") {
		f.setText("due_at", t)
		delete(f, "due_date")
	}
}

// upcastReminder turns the times of the original form into instants; a date is the end of that day in UTC, as the
// event names no zone.
func (f fields) upcastReminder() {
	f.fixInstant("due_at", "T23:59:59Z")
	f.fixInstant("remind_at", "")
}

// fixInstant writes a time of the original form as RFC 3339, and drops an empty one. What is no time stays, to be
// refused by name. A bare date takes the clock, unless that is empty.
func (f fields) fixInstant(name, clock string) {
	if f.empty(name) {
		delete(f, name)
	} else if s, ok := originalInstant(f.text(name), clock); ok {
		f.setText(name, s)
	}
}

func originalInstant(s, clock string) (string, bool) {
	if clock != "" && len(s) == len(time.DateOnly) {
		s += clock
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC().Format(time.RFC3339Nano), true
		}
	}
	return "", false
}
