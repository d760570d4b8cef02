package tasks

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/publish"
)

// This file removes what deleted accounts leave behind: a deleted account is gone at once, its tasks follow in steps.

// deletionPoll is how often unfinished deletions are looked for: those of a replica that died, and those that failed.
const deletionPoll = 30 * time.Second

// Deletions keeps the deleted accounts whose data is not removed yet. It is safe for concurrent use by replicas.
type Deletions interface {
	// DeletionStep does one bounded part of one deletion in one transaction, and returns the user's id; "" where none
	// is left, except those of the users in skip. For each task that is removed and was not deleted before, it calls
	// deleted with the next of the user's numbers. A crash between two steps loses and repeats nothing.
	DeletionStep(ctx context.Context, skip []string, deleted func(tx publish.Tx, t domain.Task, seq int64) error) (userID string, err error)
	// AccountDeleted is signalled after an account of this process was deleted.
	AccountDeleted() <-chan struct{}
}

// RunDeletions removes the data of deleted accounts until ctx ends, soon after each deletion. What a process that died
// left unfinished is continued by the replica that looks first. Several replicas share the work.
func (s *Service) RunDeletions(ctx context.Context, log *slog.Logger) error {
	tick := time.NewTicker(deletionPoll)
	defer tick.Stop()
	for {
		if err := s.FinishDeletions(ctx); err != nil && ctx.Err() == nil {
			log.WarnContext(ctx, "could not remove the data of a deleted account; trying again later", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.store.AccountDeleted():
		case <-tick.C:
		}
	}
}

// FinishDeletions removes what is left of all deleted accounts that no other replica works on. A deletion that fails
// does not keep the others waiting. The errors of all are returned.
func (s *Service) FinishDeletions(ctx context.Context) error {
	var failed []string
	var errs []error
	deleted := func(tx publish.Tx, t domain.Task, seq int64) error { return s.publishDeleted(ctx, tx, t, seq) }
	for {
		userID, err := s.store.DeletionStep(ctx, failed, deleted)
		switch {
		case userID == "":
			return errors.Join(append(errs, err)...)
		case err != nil:
			failed, errs = append(failed, userID), append(errs, err)
		}
	}
}

// publishDeleted makes the events of a task that is removed with its account. They are the same as when the user
// deletes the task.
func (s *Service) publishDeleted(ctx context.Context, tx publish.Tx, before domain.Task, seq int64) error {
	now := notBefore(s.now(), before.UpdatedAt)
	after, err := domain.Delete(before, now)
	if err != nil {
		return err
	}
	after.Version, after.Seq, after.UpdatedAt = before.Version+1, seq, domain.Instant(now)
	_, err = s.publish(ctx, tx, &before, publish.Change{
		Task: after, Type: events.Deleted, Changes: domain.Diff(before, after), Actor: before.UserID,
	})
	return err
}
