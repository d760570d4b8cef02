package tasks

// This file removes the data of deleted accounts. An account is deleted in one transaction, and its
// data later in bounded steps.

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/publish"
)

// deletionPoll is how often the service looks for unfinished deletions of a replica that died, or that failed before.
const deletionPoll = 30 * time.Second

// Deletions stores the deleted accounts whose data is not removed yet. Several replicas may use it at the same time.
type Deletions interface {
	// DeletionStep runs one bounded part of one deletion in one transaction and returns the user's id. It ignores the
	// users in skip, and returns "" when no other deletion is left. For each removed task that was not a tombstone, it
	// calls deleted with the user's next change number. A crash between two steps loses and repeats nothing.
	DeletionStep(ctx context.Context, skip []string, deleted func(tx publish.Tx, t domain.Task, seq int64) error) (userID string, err error)
	// AccountDeleted returns a channel that receives a signal after this process has deleted an account.
	AccountDeleted() <-chan struct{}
}

// RunDeletions removes the data of deleted accounts until ctx ends. It runs soon after each deletion, and every
// deletionPoll. Several replicas share the work, and any of them continues the deletions of a replica that died.
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

// FinishDeletions removes the data of all deleted accounts that no other replica is removing. After a failed deletion it
// continues with the others. It returns the errors of all failed deletions, joined.
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

// publishDeleted makes the events of a task that is removed with its account. The events are equal to those of a deletion
// by the user.
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
