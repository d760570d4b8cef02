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
	e.Changes = slices.Clone(e.Changes) // tidy works in place, and these are the caller's
	return encode(&e)
}

// Encode implements Event. Times are written in UTC and tags as a list, never null.
func (e TaskUpdateEvent) Encode() ([]byte, error) { return encode(&e) }

// Encode implements Event. Times are written in UTC.
func (e ReminderEvent) Encode() ([]byte, error) { return encode(&e) }

// Encode implements Event. Times are written in UTC.
func (e NotificationEvent) Encode() ([]byte, error) { return encode(&e) }

// encode validates the caller's own copy of an event and writes it.
func encode(e interface {
	Event
	tidy()
}) ([]byte, error) {
	if err := e.Validate(); err != nil {
		return nil, err
	}
	e.tidy()
	data, err := marshal(e)
	if err != nil {
		return nil, &ValidationError{FieldDocument, "cannot be written as JSON"}
	}
	if len(data) > MaxEventBytes {
		return nil, &ValidationError{FieldDocument, "has more than " + strconv.Itoa(MaxEventBytes) + " bytes"}
	}
	return data, nil
}

// marshal writes compact JSON and leaves <, > and & as they are: the documents are for programs, not for a page.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// The tidy methods bring an event into the one form that its wire form has: times in UTC, tags and changes never
// null. They copy what they change, so that an event which shares a pointer with a caller's leaves it alone.

func (e *TaskEvent) tidy() {
	e.Timestamp = utc(e.Timestamp)
	e.TaskData.tidy()
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

func (e *TaskUpdateEvent) tidy() {
	e.Timestamp = utc(e.Timestamp)
	e.TaskData.tidy()
}

func (e *ReminderEvent) tidy() {
	e.Timestamp, e.DueAt, e.RemindAt = utc(e.Timestamp), utc(e.DueAt), utc(e.RemindAt)
}

func (e *NotificationEvent) tidy() {
	e.Timestamp, e.DueAt = utc(e.Timestamp), utcPtr(e.DueAt)
}

func (d *TaskData) tidy() {
	if d.Tags == nil {
		d.Tags = []string{}
	}
	d.CreatedAt, d.UpdatedAt = utc(d.CreatedAt), utc(d.UpdatedAt)
	d.DueAt, d.RemindAt = utcPtr(d.DueAt), utcPtr(d.RemindAt)
	d.CompletedAt, d.DeletedAt = utcPtr(d.CompletedAt), utcPtr(d.DeletedAt)
}

// utc also drops the monotonic reading, so that equal instants are equal values.
func utc(t time.Time) time.Time { return t.Round(0).UTC() }

func utcPtr(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := utc(*t)
	return &u
}
