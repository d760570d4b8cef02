package events

import (
	"bytes"
	"encoding/json"
)

// Encode implements Event.
func (e TaskEvent) Encode() ([]byte, error) { return encode(e) }

// Encode implements Event.
func (e TaskUpdateEvent) Encode() ([]byte, error) { return encode(e) }

// Encode implements Event.
func (e ReminderEvent) Encode() ([]byte, error) { return encode(e) }

// Encode implements Event.
func (e NotificationEvent) Encode() ([]byte, error) { return encode(e) }

func encode(e Event) ([]byte, error) {
	if err := e.Validate(); err != nil {
		return nil, err
	}
	return marshal(e)
}

func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// DecodeTaskEvent reads a TaskEvent in the current or the original form.
func DecodeTaskEvent(data []byte) (TaskEvent, error) { return decode[TaskEvent](data) }

// DecodeTaskUpdateEvent reads a TaskUpdateEvent in the current or the original form.
func DecodeTaskUpdateEvent(data []byte) (TaskUpdateEvent, error) {
	return decode[TaskUpdateEvent](data)
}

// DecodeReminderEvent reads a ReminderEvent in the current or the original form.
func DecodeReminderEvent(data []byte) (ReminderEvent, error) { return decode[ReminderEvent](data) }

// DecodeNotificationEvent reads a NotificationEvent.
func DecodeNotificationEvent(data []byte) (NotificationEvent, error) {
	return decode[NotificationEvent](data)
}

func decode[E Event](data []byte) (E, error) {
	var e E
	if err := json.Unmarshal(data, &e); err != nil {
		return e, &ValidationError{FieldDocument, "is not a JSON object"}
	}
	return e, e.Validate()
}
