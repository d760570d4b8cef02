package events

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"time"
)

// Encode implements Event. Times are written in UTC and tags as a list, never null.
func (e TaskEvent) Encode() ([]byte, error) {
	e.Changes = slices.Clone(e.Changes) // normalise works in place, and the slice belongs to the caller
	return encode(&e)
}

// Encode implements Event. Times are written in UTC and tags as a list, never null.
func (e TaskUpdateEvent) Encode() ([]byte, error) { return encode(&e) }

// Encode implements Event. Times are written in UTC.
func (e ReminderEvent) Encode() ([]byte, error) { return encode(&e) }

// Encode implements Event. Times are written in UTC.
func (e NotificationEvent) Encode() ([]byte, error) { return encode(&e) }

// encode validates and writes an event. It changes e, which must be a copy.
func encode(e interface {
	Event
	normalise()
}) ([]byte, error) {
	if err := e.Validate(); err != nil {
		return nil, err
	}
	e.normalise()
	data, err := marshal(e)
	if err != nil {
		return nil, &ValidationError{FieldDocument, "cannot be written as JSON"}
	}
	if len(data) > MaxEventBytes {
		return nil, &ValidationError{FieldDocument, "has more than " + strconv.Itoa(MaxEventBytes) + " bytes"}
	}
	return data, nil
}

// marshal writes compact JSON and does not escape <, > and &: programs read the documents, browsers do not.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// The normalise methods bring an event into its wire form: times in UTC, tags and changes never null. They copy what they
// change behind a pointer, because the caller may share it.

func (e *TaskEvent) normalise() {
	e.Timestamp = utc(e.Timestamp)
	e.TaskData.normalise()
	for i := range e.Changes {
		// Validate reports a value that is not JSON.
		if v, err := cleanJSON(e.Changes[i].From); err == nil {
			e.Changes[i].From = v
		}
		if v, err := cleanJSON(e.Changes[i].To); err == nil {
			e.Changes[i].To = v
		}
	}
	if len(e.Changes) == 0 {
		e.Changes = nil
	}
}

func (e *TaskUpdateEvent) normalise() {
	e.Timestamp = utc(e.Timestamp)
	e.TaskData.normalise()
}

func (e *ReminderEvent) normalise() {
	e.Timestamp, e.DueAt, e.RemindAt = utc(e.Timestamp), utc(e.DueAt), utc(e.RemindAt)
}

func (e *NotificationEvent) normalise() {
	e.Timestamp, e.DueAt, e.ReadAt = utc(e.Timestamp), utcPtr(e.DueAt), utcPtr(e.ReadAt)
}

func (d *TaskData) normalise() {
	if d.Tags == nil {
		d.Tags = []string{}
	}
	if r := d.Recurrence; r != nil && r.ExDates != nil && len(r.ExDates) == 0 {
		without := *r
		without.ExDates = nil // as it is read after an encoding that leaves it out
		d.Recurrence = &without
	}
	d.CreatedAt, d.UpdatedAt = utc(d.CreatedAt), utc(d.UpdatedAt)
	d.StartAt, d.DueAt, d.RemindAt = utcPtr(d.StartAt), utcPtr(d.DueAt), utcPtr(d.RemindAt)
	d.CompletedAt, d.DeletedAt = utcPtr(d.CompletedAt), utcPtr(d.DeletedAt)
}

// utc also drops the monotonic clock reading, so that equal instants are equal values.
func utc(t time.Time) time.Time { return t.Round(0).UTC() }

func utcPtr(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := utc(*t)
	return &u
}
