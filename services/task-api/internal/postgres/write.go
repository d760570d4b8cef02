package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/outbox"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/publish"
)

// errUnchanged ends a transaction that has nothing to write. It never leaves this package.
var errUnchanged = errors.New("nothing changed")

// insert writes a new task with its events and its row in the change log.
func (s *Store) insert(ctx context.Context, tx *outbox.Tx, t domain.Task, c publish.Change) error {
	c.Task, c.Type = t, events.Created
	made, err := s.publish(ctx, tx, nil, c)
	if err != nil {
		return err
	}
	if err := insertTask(tx.DB, c, made); err != nil {
		return fmt.Errorf("insert task %s: %w", t.ID, err)
	}
	return nil
}

// ChangeRequest is a request to change one task.
type ChangeRequest struct {
	UserID, TaskID string
	IfMatch        *Versions // nil: whatever version it has
	// Apply returns the task as it shall be; the task itself when there is nothing to change. Its errors are returned
	// as they are.
	Apply func(t domain.Task, d domain.Defaults) (domain.Task, error)
	// Deleted says that Apply takes deleted tasks too; without it they are not found.
	Deleted bool
}

// Versions are those that a client accepts; empty accepts none.
type Versions []int64

func (v *Versions) accept(version int64) bool {
	if v == nil {
		return true
	}
	for _, x := range *v {
		if x == version {
			return true
		}
	}
	return false
}

// Change changes one task and returns it as it is then. A change that changes nothing writes nothing: the task keeps
// its version and no event is made. A task of another version than IfMatch accepts is domain.ErrStale.
func (s *Store) Change(ctx context.Context, r ChangeRequest) (domain.Task, error) {
	var task domain.Task
	err := s.outbox.InTx(ctx, func(tx *outbox.Tx) error {
		before, d, err := s.lockTask(tx, r.UserID, r.TaskID, r.Deleted)
		if err != nil {
			return err
		}
		if !r.IfMatch.accept(before.Version) {
			return domain.ErrStale
		}
		after, err := r.Apply(before, d.Defaults)
		if err != nil {
			return err
		}
		task, err = s.update(ctx, tx, before, after, d, publish.Change{Actor: r.UserID})
		return err
	})
	if errors.Is(err, errUnchanged) {
		err = nil
	}
	return task, err
}

// locked is what a writer knows once it holds the user's lock.
type locked struct {
	domain.Defaults
	seq int64
}

// lockTask takes the user's lock and next seq and reads the task.
func (s *Store) lockTask(tx *outbox.Tx, userID, taskID string, deleted bool) (domain.Task, locked, error) {
	user, err := nextSeq(tx.DB, userID)
	if err != nil {
		return domain.Task{}, locked{}, err
	}
	task, err := find(tx.DB, userID, taskID)
	if err == nil && task.DeletedAt != nil && !deleted {
		err = domain.ErrNotFound
	}
	return task, locked{domain.Defaults{Timezone: user.Timezone, Now: notBefore(s.now(), task.UpdatedAt)}, user.Seq}, err
}

// notBefore keeps updated_at from going back where the clocks of two replicas differ.
func notBefore(now, last time.Time) time.Time {
	if next := last.Add(domain.Precision); now.Before(next) {
		return next
	}
	return now
}

// update writes a changed task with its events and its row in the change log, or returns errUnchanged and the task.
func (s *Store) update(ctx context.Context, tx *outbox.Tx, before, after domain.Task, d locked, c publish.Change) (domain.Task, error) {
	c.Changes = domain.Diff(before, after)
	if len(c.Changes) == 0 {
		return before, errUnchanged
	}
	after.Version, after.Seq, after.UpdatedAt = before.Version+1, d.seq, domain.Instant(d.Now)
	c.Task, c.Type = after, domain.EventType(before, after)
	made, err := s.publish(ctx, tx, &before, c)
	if err != nil {
		return domain.Task{}, err
	}
	if err := updateTask(tx.DB, c, made); err != nil {
		return domain.Task{}, fmt.Errorf("update task %s: %w", after.ID, err)
	}
	return after, nil
}

// publish makes the events of a change and returns the one that the change log keeps.
func (s *Store) publish(ctx context.Context, tx *outbox.Tx, before *domain.Task, c publish.Change) (publish.Made, error) {
	if _, err := s.events.PublishTaskEvent(ctx, tx, c); err != nil {
		return publish.Made{}, err
	}
	made, err := s.events.PublishTaskUpdateEvent(ctx, tx, c)
	if err != nil {
		return publish.Made{}, err
	}
	if kind, ok := domain.Reminder(before, c.Task, c.Task.UpdatedAt); ok {
		reminder := c
		reminder.Type = kind
		if _, err := s.events.PublishReminderEvent(ctx, tx, reminder); err != nil {
			return publish.Made{}, err
		}
	}
	return made, nil
}
