package events

import (
	"encoding/base64"
	"encoding/json"
	"time"
)

// DeadLetter is what a dead-letter topic carries: an event that can never be processed, whole, with the reason.
type DeadLetter struct {
	// EventID is the id of the event, as far as it could be read; may be empty.
	EventID string `json:"event_id"`
	// Topic is where the event came from.
	Topic string `json:"topic"`
	// Consumer is the service that could not process it.
	Consumer string `json:"consumer"`
	// Reason is why, for a person to read.
	Reason string `json:"reason"`
	// FailedAt is when the consumer gave up.
	FailedAt time.Time `json:"failed_at"`
	// Original is the event as it was received: its JSON, or a string of base64 where it is not JSON.
	Original json.RawMessage `json:"original"`
	// OriginalEncoding is base64 when original is a string of base64; absent when it is the event's own JSON.
	OriginalEncoding string `json:"original_encoding,omitempty"`
}

const encodingBase64 = "base64"

// Encode returns the dead letter as JSON. Original takes any bytes: those that are not JSON travel as base64.
func (d DeadLetter) Encode() ([]byte, error) {
	if d.OriginalEncoding == "" && !json.Valid(d.Original) {
		d.Original, _ = json.Marshal(base64.StdEncoding.EncodeToString(d.Original))
		d.OriginalEncoding = encodingBase64
	}
	return marshal(d)
}

// DecodeDeadLetter reads a DeadLetter.
func DecodeDeadLetter(data []byte) (DeadLetter, error) {
	var d DeadLetter
	if err := json.Unmarshal(data, &d); err != nil {
		return d, &ValidationError{FieldDocument, "is not a JSON object"}
	}
	return d, nil
}
