package events

import "errors"

var (
	// ErrInvalid matches every *ValidationError: the event can never be processed.
	ErrInvalid = errors.New("invalid event")
	// ErrUnknownType means that a well-formed event has an event_type that this version does not know. A consumer
	// acknowledges the event and skips it.
	ErrUnknownType = errors.New("unknown event type")
)

// FieldDocument is the Field of an error about the whole document: it is not JSON, not an object, or too long.
const FieldDocument = "document"

// ValidationError is a broken rule of one field of an event. It matches ErrInvalid.
type ValidationError struct {
	Field  string // the wire name, with the path of a nested field: task_data.tags[3]
	Reason string // what is wrong, without the value: event content must not reach logs
}

func (e *ValidationError) Error() string { return "invalid event: " + e.Field + ": " + e.Reason }

// Is makes errors.Is(err, ErrInvalid) true.
func (e *ValidationError) Is(target error) bool { return target == ErrInvalid }
