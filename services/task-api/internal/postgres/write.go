package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/outbox"
	pg "github.com/taskwire/taskwire/pkg/platform/postgres"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/publish"
)

// errUnchanged ends a transaction that has nothing to write. It never leaves this package.
var errUnchanged = errors.New("nothing changed")

// CreateRequest is a request for a new task.
type CreateRequest struct {
	UserID string
	Fields domain.Fields
	Key    *IdempotencyKey // nil: each request makes a task
}

// Create makes a task. With a key that was answered before it returns that answer, and true.
func (s *Store) Create(ctx context.Context, r CreateRequest) (events.TaskData, bool, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return events.TaskData{}, false, fmt.Errorf("make task id: %w", err)
	}
	task, replayed, err := s.create(ctx, id.String(), r)
	if pg.IsUniqueViolation(err, "idempotency_keys_pkey") {
		// The first request committed after this one had looked: now its answer is there.
		return s.create(ctx, id.String(), r)
	}
	return task, replayed, err
}

// create is two round trips, or three with a key: what begins it goes with the BEGIN, what it writes with the COMMIT.
func (s *Store) create(ctx context.Context, id string, r CreateRequest) (task events.TaskData, replayed bool, err error) {
	var user head
	var answer keptAnswer
	first := takeSeq(r.UserID, &user)
	if r.Key != nil {
		first = lookUp(r.UserID, *r.Key, &answer)
	}
	err = s.outbox.InTxFirst(ctx, first, func(tx *outbox.Tx) error {
		if r.Key != nil {
			kept, ok, err := answer.judge(tx.DB, r.UserID, *r.Key)
			if err != nil {
				return err
			}
			if ok {
				replayed = true
				task, err = keptTask(kept)
				return err
			}
			if user, err = nextSeq(tx.DB, r.UserID); err != nil {
				return err
			}
		}
		t, err := domain.New(id, r.UserID, r.Fields, domain.Defaults{Timezone: user.Timezone, Now: s.now()})
		if err != nil {
			return err
		}
		t.Version, t.Seq = 1, user.Seq
		task = t.TaskData
		w, err := s.insertion(ctx, tx, t, publish.Change{Actor: r.UserID}, r.Key)
		if err != nil {
			return err
		}
		tx.Last(w.numbered(), w.args...)
		return nil
	})
	return task, replayed, err
}

// insert writes a new task with its events and its row in the change log, for what follows in the transaction to see.
func (s *Store) insert(ctx context.Context, tx *outbox.Tx, t domain.Task, c publish.Change, key *IdempotencyKey) error {
	w, err := s.insertion(ctx, tx, t, c, key)
	if err != nil {
		return err
	}
	if err := w.exec(tx.DB); err != nil {
		return fmt.Errorf("insert task %s: %w", t.ID, err)
	}
	return nil
}

// insertion makes a new task's events and the statement that writes the rest of it.
func (s *Store) insertion(ctx context.Context, tx *outbox.Tx, t domain.Task, c publish.Change, key *IdempotencyKey) (*statement, error) {
	c.Task, c.Type = t, events.Created
	made, err := s.publish(ctx, tx, nil, c)
	if err != nil {
		return nil, err
	}
	w := newStatement()
	w.logChange(c, made)
	if key != nil {
		if err := w.keepAnswer(*key, t.TaskData); err != nil {
			return nil, err
		}
	}
	w.insertTask(rowOf(t))
	return w, nil
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
	w := newStatement()
	w.logChange(c, made)
	w.updateTask(rowOf(after))
	if err := w.exec(tx.DB); err != nil {
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
