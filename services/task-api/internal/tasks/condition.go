package tasks

import (
	"slices"

	"github.com/taskwire/taskwire/services/task-api/internal/domain"
)

// This file has the conditions of a write: which versions of the task it is for.

// Versions are the task versions that a client accepts. An empty list accepts none, and nil accepts every version.
type Versions []int64

// Accept reports whether a task may have the version.
func (v *Versions) Accept(version int64) bool { return v == nil || slices.Contains(*v, version) }

// NoneMatch are the versions that the task must not have. The zero value refuses none.
type NoneMatch struct {
	Any      bool // every version of a task that is not deleted: a deleted task has no representation
	Versions Versions
}

// Accept reports whether the task has none of the versions.
func (n NoneMatch) Accept(t domain.Task) bool {
	return !(n.Any && t.DeletedAt == nil) && !slices.Contains(n.Versions, t.Version)
}

// StaleError is a domain.ErrStale with the task as it is, so that the client need not read it again.
type StaleError struct{ Task domain.Task }

func (e *StaleError) Error() string { return domain.ErrStale.Error() }

// Unwrap returns domain.ErrStale.
func (e *StaleError) Unwrap() error { return domain.ErrStale }

// accept returns a StaleError for a task that does not meet the conditions of the operation. If-Match comes first (RFC 9110,
// section 13.2.2).
func (op Op) accept(t domain.Task) error {
	if !op.IfMatch.Accept(t.Version) || !op.IfNoneMatch.Accept(t) {
		return &StaleError{t}
	}
	return nil
}
