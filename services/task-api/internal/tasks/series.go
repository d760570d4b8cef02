package tasks

// This file decides what happens to the next occurrence of a series: it is created, withdrawn and brought back.

import (
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/publish"
)

// skip cancels this occurrence of a recurring task and creates the next one. The successor is the one that the recurrence engine
// would create, with the same id. Skipping a skipped task changes nothing.
func (w *writer) skip(a *account, r *request, before domain.Task, now time.Time) (OpResult, error) {
	skipped, err := domain.Skip(before, now)
	if err != nil {
		return refuse(err)
	}
	result, err := w.update(a, r, before, skipped, now)
	if err != nil || result.Task.Version == before.Version {
		return result, err
	}
	next, err := w.follow(a, r, before, now, now)
	if err != nil || next.Err != nil {
		return OpResult{Err: next.Err}, err
	}
	return result, nil
}

// succeed creates the occurrence after a completed one. It decides by the stored task, so that an event that comes late or twice
// has no effect of its own: a task that was opened again has no successor.
func (w *writer) succeed(a *account, r *request, op Op) (OpResult, error) {
	done, ok := a.tasks[op.TaskID]
	switch {
	case !ok:
		return refuse(domain.ErrNotFound)
	case done.DeletedAt != nil:
		return refuse(domain.ErrSeriesEnded)
	case done.CompletedAt == nil:
		return refuse(domain.ErrNotDone)
	}
	next, err := w.follow(a, r, done, *done.CompletedAt, w.s.now())
	if err == nil && next.Err == nil && next.Task.ID == "" {
		return refuse(domain.ErrSeriesEnded)
	}
	return next, err
}

// follow creates the occurrence after done, which was completed or skipped at that time. It brings back an occurrence that was
// withdrawn, and leaves every other existing one as it is. The result has no task if the series ends with done.
func (w *writer) follow(a *account, r *request, done domain.Task, at, now time.Time) (OpResult, error) {
	existing, exists := a.occurrence(done.SeriesID, done.OccurrenceNo+1)
	if exists && !existing.Withdrawn() {
		return OpResult{Task: existing}, nil
	}
	made, ok, err := domain.Successor(done, at, now)
	if err != nil {
		return refuse(err)
	}
	if !ok {
		return OpResult{}, nil
	}
	if exists {
		now = notBefore(now, existing.UpdatedAt)
		result, err := w.update(a, r, existing, domain.BringBack(existing, made), now)
		result.Made = true
		return result, err
	}
	made, err = w.record(a, r, nil, made, publish.Change{Type: events.Created})
	return OpResult{Task: made, Made: true}, err
}

// withdraw deletes the occurrence after a task that was opened again, unless its user has changed it.
func (w *writer) withdraw(a *account, r *request, opened domain.Task, now time.Time) (*NextOccurrence, error) {
	if opened.SeriesID == "" {
		return nil, nil
	}
	next, ok := a.occurrence(opened.SeriesID, opened.OccurrenceNo+1)
	if !ok || next.DeletedAt != nil {
		return nil, nil
	}
	if !next.Untouched() {
		return &NextOccurrence{ID: next.ID}, nil
	}
	now = notBefore(now, next.UpdatedAt)
	_, err := w.update(a, r, next, domain.Withdraw(next, now), now)
	return &NextOccurrence{ID: next.ID, Withdrawn: true}, err
}
