package tasks

import (
	"errors"
	"fmt"
)

var (
	// ErrNoUser means that the account does not exist, or not any more.
	ErrNoUser = errors.New("no such user")
	// ErrTooOld means that changes after the given seq were pruned, or that the user has never reached that seq. The client
	// must start over.
	ErrTooOld = errors.New("the changes since then are not kept any more")
	// ErrQuota means that the account has as many tasks as it may have. It can have another one after one is deleted.
	ErrQuota = errors.New("the account has as many tasks as it may have")
	// ErrRefused means that the database refused a value of the request. The same request fails again.
	ErrRefused = errors.New("the database refused the values of the operation")
	// ErrKeyTaken means that another request with the same key committed first. When the request is repeated, it gets the
	// kept answer.
	ErrKeyTaken = errors.New("another request with the same Idempotency-Key committed first")
)

// AtomicError names the operation because of which an atomic batch had no effect.
type AtomicError struct {
	Index int // 0-based
	Err   error
}

func (e *AtomicError) Error() string { return fmt.Sprintf("operation %d: %v", e.Index, e.Err) }

// Unwrap returns the reason.
func (e *AtomicError) Unwrap() error { return e.Err }
