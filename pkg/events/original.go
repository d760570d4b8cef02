package events

import (
	"encoding/json"
	"strings"
	"time"
)

// isOriginal reports whether an event is in the original form: it has no schema_version, or it has 1 because it was decoded
// before. A value that is not a version is not original; validation refuses it later.
func (f fields) isOriginal() bool {
	if f.null("schema_version") {
		return true
	}
	var version int
	err := json.Unmarshal(f["schema_version"], &version)
	return err == nil && version >= 0 && version <= originalVersion
}

// upcastTask converts the task_data of the original form into the current form. It is lenient where no information is lost.
// An id that is absent or not a UUID becomes the event's own id. "completed": true sets the status. A time without a zone
// is in UTC.
func (f fields) upcastTask() {
	d := fields{}
	if !f.null("task_data") {
		var err error
		if d, err = readFields(f["task_data"]); err != nil {
			return // into reports that task_data is not an object
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
	f["task_data"], _ = json.Marshal(d) // cannot fail: the raw messages are valid JSON
}

// inherit sets the field to the event's own id, unless the field is a UUID.
func (f fields) inherit(name, id string) {
	if !isUUID(f.text(name)) {
		f.setText(name, id)
	}
}

// originalStatus returns the status of a task without one. The field completed (true or false) decides, or else the event type.
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

// upcastReminder converts the times of the original form into instants. A date becomes the end of that day in UTC, because
// the event has no zone.
func (f fields) upcastReminder() {
	f.fixInstant("due_at", "T23:59:59Z")
	f.fixInstant("remind_at", "")
}

// fixInstant rewrites a time of the original form as RFC 3339, and removes an empty one. It leaves any other text unchanged,
// so that validation refuses it by name. A date without a time of day gets clock, unless clock is empty.
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
