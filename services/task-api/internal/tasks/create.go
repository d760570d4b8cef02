package tasks

import (
	"context"
	"errors"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/batcher"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
)

// This file decides which creates share a transaction.

const (
	// maxCreateBatches is how many transactions of creates one process runs at the same time: one is prepared while the
	// other is flushed to disk.
	maxCreateBatches = 2
	// createPatience is how long a transaction is expected to take at most. It takes some milliseconds; one that takes
	// longer waits for something.
	createPatience = 100 * time.Millisecond
	// maxCreateBatch bounds the tasks of a transaction. Beyond some tens a larger one gains little, and with the longest
	// texts it would be megabytes.
	maxCreateBatch = 32
	// createTimeout bounds a transaction: two round trips and the wait for a connection. It is below what a request may
	// take, so that requests behind a transaction that hangs still have their turn.
	createTimeout = 10 * time.Second
)

// CreateRequest is a request for a new task.
type CreateRequest struct {
	UserID string
	Fields domain.Fields
	Key    *IdempotencyKey // nil: each request makes a task
}

// Create makes a task. With a key that was answered before it returns that answer, and true.
//
// Creates that arrive while others are being written are written together, in one transaction (docs/adr/0015). Each has
// its own outcome. One that the transaction could not take, because another writer held its user's lock or because the
// database refused a value of the batch, is then written alone.
func (s *Service) Create(ctx context.Context, c CreateRequest) (events.TaskData, bool, error) {
	r, err := newCreate(ctx, c)
	if err != nil {
		return events.TaskData{}, false, err
	}
	if err := s.creates.Do(ctx, r); err != nil {
		return events.TaskData{}, false, err
	}
	return s.created(r)
}

func newCreate(ctx context.Context, c CreateRequest) (*request, error) {
	return newRequest(ctx, c.UserID, c.Key, Op{Create: func(id, userID string, d domain.Defaults) (domain.Task, error) {
		return domain.New(id, userID, c.Fields, d)
	}})
}

// created returns the outcome of a create. One that its batch missed is written alone.
func (s *Service) created(r *request) (events.TaskData, bool, error) {
	err := r.err
	if r.missed {
		err = s.writeAlone(r)
	}
	switch {
	case err != nil:
		return events.TaskData{}, false, single(err)
	case r.replayed:
		t, err := keptTask(r.body)
		return t, true, err
	}
	return r.results[0].Task.TaskData, false, nil
}

// single returns the reason why a request with one operation was not done.
func single(err error) error {
	var failed *AtomicError
	if errors.As(err, &failed) {
		return failed.Err
	}
	return err
}

func (s *Service) createBatches() batcher.Config[*request] {
	return batcher.Config[*request]{
		Run: s.createTogether, MaxBatch: maxCreateBatch, Parallel: maxCreateBatches, Patience: createPatience, Timeout: createTimeout,
		// Two transactions of one user would wait for each other's lock.
		OrderKey: func(r *request) string { return r.userID },
		// A repetition finds its answer when the first request is committed.
		DistinctKey: func(r *request) string {
			if r.key == nil {
				return ""
			}
			return r.userID + r.key.Key
		},
	}
}

// createTogether decides each of the requests, or leaves it as missed.
func (s *Service) createTogether(ctx context.Context, batch []*request) {
	err := s.write(ctx, batch, false, false)
	if err == nil {
		return
	}
	refused := errors.Is(err, ErrRefused) || errors.Is(err, ErrKeyTaken)
	for _, r := range batch {
		switch {
		case r.err != nil || r.replayed || r.missed: // it had no part in what failed
		case refused:
			r.missed = true
		default:
			r.err = err
		}
	}
}
