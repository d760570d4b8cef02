package tasks

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
)

// ChangeRequest is a request to change one task. Op has the task, the versions it may have and what becomes of it.
type ChangeRequest struct {
	UserID string
	Op     Op
}

// Change does one operation on one task, and returns the task as it is then. The errors of Apply are returned as they
// are; a task of a version that IfMatch does not accept is domain.ErrStale.
func (s *Service) Change(ctx context.Context, c ChangeRequest) (domain.Task, error) {
	r, err := newRequest(ctx, c.UserID, nil, c.Op)
	if err != nil {
		return domain.Task{}, err
	}
	if err := s.writeAlone(r); err != nil {
		return domain.Task{}, single(err)
	}
	return r.results[0].Task, nil
}

// SuccessorRequest asks for the task that follows a completed one.
type SuccessorRequest struct {
	Completed events.TaskData // as it was when it was completed
	Next      domain.Next
	Actor     string // the service that acts for the user
	Causation string // the event of the completion
}

// CreateSuccessor makes the occurrence after a completed one, and returns true; or it returns the one that exists.
// There is one, however often it is asked for: the user's lock puts the requests one after the other, and the database
// refuses a second task with the same place in a series.
//
// domain.ErrNotFound: there is no such task in this series. domain.ErrSeriesEnded: the completed task was deleted.
func (s *Service) CreateSuccessor(ctx context.Context, c SuccessorRequest) (domain.Task, bool, error) {
	id, err := uuid.Parse(c.Completed.ID)
	if err != nil {
		return domain.Task{}, false, domain.ErrNotFound
	}
	r, err := newRequest(ctx, c.Completed.UserID, nil, Op{TaskID: id.String(), succeed: &c})
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
