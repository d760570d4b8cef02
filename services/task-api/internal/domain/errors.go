package domain

import (
	"errors"
	"strings"
)

var (
	// ErrNotFound means that the user has no such task, or that it is deleted.
	ErrNotFound = errors.New("no such task")
	// ErrStale means that the task has another version than the client expects.
	ErrStale = errors.New("the task has changed since it was read")
	// ErrSeriesEnded means that the series has no further occurrence: its rule gives none, or its task was deleted.
	ErrSeriesEnded = errors.New("the series has ended")
	// ErrNotRecurring means that the task has no next occurrence because it does not recur.
	ErrNotRecurring = errors.New("the task does not recur")
	// ErrAlreadyDone means that the task is completed, so it cannot be skipped.
	ErrAlreadyDone = errors.New("the task is completed")
	// ErrNotDone means that the task has no next occurrence yet, because it is not completed.
	ErrNotDone = errors.New("the task is not completed")
	// ErrOccurrenceTaken means that another task of the user has this occurrence number in the series.
	ErrOccurrenceTaken = errors.New("another task has this place in its series")
	// ErrIDTaken means that the id that a client gave a new task belongs to a task of another user.
	ErrIDTaken = errors.New("the id is taken")
	// ErrNoRoom means that the tasks at a place are so close together that none fits between them.
	ErrNoRoom = errors.New("there is no room at this place")
	// ErrRestoreWindow means that the task was deleted more than RestoreWindow ago.
	ErrRestoreWindow = errors.New("the task was deleted too long ago to be restored")
)

// NeighbourError means that the user has no task like the one next to which another task is to be moved.
type NeighbourError struct{ Before bool }

func (e *NeighbourError) Error() string { return "no such task: " + e.Field() }

// Field returns the member of the request that names the task.
func (e *NeighbourError) Field() string {
	if e.Before {
		return "before"
	}
	return "after"
}

// Unwrap returns ErrNotFound.
func (e *NeighbourError) Unwrap() error { return ErrNotFound }

// FieldError is the error of one field of a request, as text for the user.
type FieldError struct{ Field, Message string }

// Invalid is the error about a request with invalid fields. Malformed is true if a value has the wrong type or form, and false if
// a well-formed value breaks a rule.
type Invalid struct {
	Malformed bool
	Fields    []FieldError
}

func (e *Invalid) Error() string {
	words := make([]string, len(e.Fields))
	for i, f := range e.Fields {
		words[i] = f.Field + " " + f.Message
	}
	return strings.Join(words, "; ")
}

// problems collects field errors.
type problems struct{ list []FieldError }

func (p *problems) add(field, message string) {
	p.list = append(p.list, FieldError{field, message})
}

func (p *problems) has(field string) bool {
	for _, f := range p.list {
		if f.Field == field {
			return true
		}
	}
	return false
}

func (p *problems) err(malformed bool) error {
	if len(p.list) == 0 {
		return nil
	}
	return &Invalid{Malformed: malformed, Fields: p.list}
}
