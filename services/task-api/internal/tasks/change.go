package tasks

// This file has the two requests with one operation on an existing task: a change and a successor.

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
)

// ChangeRequest is a request to change one task. Op names the task, the accepted versions and the change.
type ChangeRequest struct {
	UserID string
	Op     Op
}

// Change runs one operation on one task and returns its result. It returns the errors of Apply unchanged, and a StaleError when the
// task does not meet a condition of the operation.
func (s *Service) Change(ctx context.Context, c ChangeRequest) (OpResult, error) {
	r, err := newRequest(ctx, c.UserID, nil, c.Op)
	if err != nil {
		return OpResult{}, err
	}
	if err := s.writeAlone(r); err != nil {
		return OpResult{}, single(err)
	}
	return r.results[0], nil
}

// SuccessorRequest is a request for the occurrence after a completed task.
type SuccessorRequest struct {
	UserID, TaskID string
	Actor          string // the service that acts for the user
	Causation      string // the event of the completion
}

// CreateSuccessor creates the occurrence after a completed one and returns true, or returns the existing one and false. The stored
// task decides: its rule, its values and the time of its completion. Repeated and concurrent requests create one successor: the
// user's lock makes them serial, and the database refuses a second task with the same number in a series.
//
// It returns domain.ErrNotFound when the user has no such task, domain.ErrNotRecurring, domain.ErrNotDone when the task is open
// again, and domain.ErrSeriesEnded when the rule gives no further occurrence or the task was deleted.
func (s *Service) CreateSuccessor(ctx context.Context, c SuccessorRequest) (domain.Task, bool, error) {
	id, err := uuid.Parse(c.TaskID)
	if err != nil {
		return domain.Task{}, false, domain.ErrNotFound
	}
	r, err := newRequest(ctx, c.UserID, nil, Op{TaskID: id.String(), succeed: true})
	if err == nil {
		r.actor, r.causation = c.Actor, c.Causation
		err = single(s.writeAlone(r))
	}
	if errors.Is(err, ErrNoUser) {
		err = domain.ErrNotFound
	}
	if err != nil {
		return domain.Task{}, false, err
	}
	return r.results[0].Task, r.results[0].Made, nil
}
