package events

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"
	"unicode/utf8"
)

// DeadLetter is the document on a dead-letter topic: an event that can never be processed, complete, with the reason.
type DeadLetter struct {
	// EventID is the id of the event; empty if it could not be read.
	EventID string `json:"event_id"`
	// Topic is the topic from which the event was delivered.
	Topic string `json:"topic"`
	// Consumer is the service that could not process it.
	Consumer string `json:"consumer"`
	// Reason is why the event was refused, as text for an operator.
	Reason string `json:"reason"`
	// FailedAt is when the consumer gave up.
	FailedAt time.Time `json:"failed_at"`
	// Original is the event as it was received: its own JSON, or a base64 string if it is not JSON.
	Original json.RawMessage `json:"original"`
	// OriginalEncoding is base64 when original is a base64 string; absent when it is the event's own JSON.
	OriginalEncoding string `json:"original_encoding,omitempty"`
}

const encodingBase64 = "base64"

// Validate returns nil, or a *ValidationError that names the first field that breaks a rule.
func (d DeadLetter) Validate() error {
	var c checker
	c.text("event_id", d.EventID, 0, MaxName)
	c.text("topic", d.Topic, 1, MaxName)
	c.text("consumer", d.Consumer, 1, MaxName)
	c.text("reason", d.Reason, 1, MaxReason)
	c.time("failed_at", d.FailedAt)
	if _, err := d.Payload(); err != nil && c.err == nil {
		return err
	}
	return c.result()
}

// Encode returns the dead letter as JSON. A bad event must not block its partition, so Encode accepts any event. Original may
// be any bytes: it is encoded as base64 if it is not JSON. An event id or a reason that is too long or not valid text is cut
// and cleaned. The error is a *ValidationError about one of the consumer's own fields.
func (d DeadLetter) Encode() ([]byte, error) {
	d.EventID = clean(d.EventID, MaxName)
	if d.Reason = clean(d.Reason, MaxReason); d.Reason == "" {
		d.Reason = "unknown"
	}
	if d.OriginalEncoding == "" && (!utf8.Valid(d.Original) || !json.Valid(d.Original)) {
		d.Original = json.RawMessage(`"` + base64.StdEncoding.EncodeToString(d.Original) + `"`)
		d.OriginalEncoding = encodingBase64
	}
	d.FailedAt = utc(d.FailedAt)
	if err := d.Validate(); err != nil {
		return nil, err
	}
	return marshal(d)
}

// clean returns the first limit characters of s, as valid UTF-8 without NUL.
func clean(s string, limit int) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
	if len(s) <= limit || utf8.RuneCountInString(s) <= limit {
		return s
	}
	return string([]rune(s)[:limit])
}

// Payload returns the event as it was received, so that it can be published again after its cause is removed. White space
// between JSON tokens is lost.
func (d DeadLetter) Payload() ([]byte, error) {
	switch d.OriginalEncoding {
	case "":
		if !json.Valid(d.Original) {
			return nil, &ValidationError{"original", "is not JSON"}
		}
		return d.Original, nil
	case encodingBase64:
		var s string
		err := json.Unmarshal(d.Original, &s)
		payload, err64 := base64.StdEncoding.DecodeString(s)
		if errors.Join(err, err64) != nil {
			return nil, &ValidationError{"original", "is not a base64 string"}
		}
		return payload, nil
	}
	return nil, &ValidationError{"original_encoding", "is not base64"}
}

// DecodeDeadLetter reads a DeadLetter, skips unknown fields, and validates. The error is a *ValidationError. With an error,
// the dead letter holds the fields that could be read.
func DecodeDeadLetter(data []byte) (DeadLetter, error) {
	var d DeadLetter
	if !utf8.Valid(data) {
		return d, &ValidationError{FieldDocument, "is not valid UTF-8"}
	}
	if json.Unmarshal(data, &d) != nil || d.Original == nil {
		d = DeadLetter{}
		f, err := readFields(data)
		if err != nil {
			return d, err
		}
		if err := f.into(&d); err != nil {
			return d, err
		}
	}
	if d.Original == nil {
		return d, &ValidationError{"original", reasonMissing}
	}
	var b bytes.Buffer
	if json.Compact(&b, d.Original) == nil {
		d.Original = b.Bytes()
	}
	d.FailedAt = utc(d.FailedAt)
	return d, d.Validate()
}
