package domain

import (
	"errors"
	"strings"
)

var (
	// ErrNotFound says that the user has no such task, or no more.
	ErrNotFound = errors.New("no such task")
	// ErrStale says that the task is at another version than the client expects.
	ErrStale = errors.New("the task has changed since it was read")
	// ErrSeriesEnded says that a series goes on no more, because its task was deleted.
	ErrSeriesEnded = errors.New("the series has ended")
	// ErrNotRecurring says that there is nothing to skip to.
	ErrNotRecurring = errors.New("the task does not recur")
	// ErrAlreadyDone says that a completed task cannot be skipped.
	ErrAlreadyDone = errors.New("the task is completed")
	// ErrOccurrenceTaken says that the user has another task with this place in its series.
	ErrOccurrenceTaken = errors.New("another task has this place in its series")
	// ErrRestoreWindow says that the task was deleted too long ago.
	ErrRestoreWindow = errors.New("the task was deleted too long ago to be restored")
)

// FieldError names one field of a request and what is wrong with it, for the user to read.
type FieldError struct{ Field, Message string }

// Invalid is a request that cannot be taken. Malformed says that a value is not even of its field's type.
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
