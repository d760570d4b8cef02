package events

import "errors"

var (
	// ErrInvalid is matched by every *ValidationError: the event can never be processed.
	ErrInvalid = errors.New("invalid event")
	// ErrUnknownType says that a well-formed event has an event_type that this version does not know. A consumer
	// acknowledges the event and skips it.
	ErrUnknownType = errors.New("unknown event type")
)

// FieldDocument is the Field of an error about the document as a whole: not JSON, not an object, too long.
const FieldDocument = "document"

// ValidationError says which field of an event breaks which rule.
type ValidationError struct {
	Field  string // wire name, with a path where it is inside another: task_data.tags[3]
	Reason string // what is wrong, without the value: event content stays out of logs
}

func (e *ValidationError) Error() string { return "invalid event: " + e.Field + ": " + e.Reason }

// Is makes errors.Is(err, ErrInvalid) true.
func (e *ValidationError) Is(target error) bool { return target == ErrInvalid }
