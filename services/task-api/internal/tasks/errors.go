package tasks

import (
	"errors"
	"fmt"
)

var (
	// ErrNoUser says that the account does not exist any more.
	ErrNoUser = errors.New("no such user")
	// ErrTooOld says that the changes since the given seq were pruned, or that the user never was at that seq.
	ErrTooOld = errors.New("the changes since then are not kept any more")
	// ErrRefused says that the database refused a value of the request. The same request fails again.
	ErrRefused = errors.New("the database refused the values of the operation")
	// ErrKeyTaken says that another request with the same key committed while this one was being decided. Repeated, the
	// request finds the answer.
	ErrKeyTaken = errors.New("another request with the same Idempotency-Key was faster")
)

// AtomicError says which operation kept an atomic batch from being done.
type AtomicError struct {
	Index int
	Err   error
}

func (e *AtomicError) Error() string { return fmt.Sprintf("operation %d: %v", e.Index, e.Err) }

// Unwrap returns the reason.
func (e *AtomicError) Unwrap() error { return e.Err }
