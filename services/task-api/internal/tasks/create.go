package tasks

// This file decides which creates share a transaction.

import (
	"context"
	"errors"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/batcher"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
)

const (
	// maxCreateBatches is the number of transactions of creates that one process runs at the same time. With two, one is
	// prepared while the other is flushed to disk.
	maxCreateBatches = 2
	// createPatience is how long a running transaction delays a smaller one. A transaction takes some milliseconds. One that
	// takes longer than this is blocked, so others must not wait for it.
	createPatience = 100 * time.Millisecond
	// maxCreateBatch is the largest number of tasks in a transaction. Above some tens, a larger batch saves little, and with
	// the longest texts it would have megabytes.
	maxCreateBatch = 32
	// createTimeout bounds a transaction: two round trips and the wait for a connection. It is below the time limit of a
	// request, so that the requests that wait for a blocked transaction can still run.
	createTimeout = 10 * time.Second
)

// CreateRequest is a request for a new task.
type CreateRequest struct {
	UserID string
	ID     string // "": the service makes one
	Fields domain.Fields
	Key    *IdempotencyKey // nil: a repeated request creates another task
}

// CreateAnswer is the outcome of a create.
type CreateAnswer struct {
	Task     events.TaskData
	Made     bool // false: the user already has a task with the id, deleted or not, and this is it
	Replayed bool // the kept answer of the first request with the key
}

// Create creates a task. With a key that has a kept answer, it returns that answer.
//
// Creates that arrive while others are being written share the next transaction (docs/adr/0015). Each create has its own
// outcome. The transaction misses a create when another writer holds its user's lock, or when the database refuses a
// value of the batch. A missed create is then written alone.
func (s *Service) Create(ctx context.Context, c CreateRequest) (CreateAnswer, error) {
	r, err := newCreate(ctx, c)
	if err != nil {
		return CreateAnswer{}, err
	}
	if err := s.creates.Do(ctx, r); err != nil {
		return CreateAnswer{}, err
	}
	return s.created(r)
}

func newCreate(ctx context.Context, c CreateRequest) (*request, error) {
	return newRequest(ctx, c.UserID, c.Key, Op{TaskID: c.ID, Position: PositionOf(c.Fields), Create: func(id, userID string, d domain.Defaults) (domain.Task, error) {
		return domain.New(id, userID, c.Fields, d)
	}})
}

// created returns the outcome of a create. It first writes the create alone if its batch missed it.
func (s *Service) created(r *request) (CreateAnswer, error) {
	err := r.err
	if r.missed {
		err = s.writeAlone(r)
	}
	switch {
	case err != nil:
		return CreateAnswer{}, single(err)
	case r.replayed:
		t, err := keptTask(r.body)
		return CreateAnswer{Task: t, Made: true, Replayed: true}, err
	}
	return CreateAnswer{Task: r.results[0].Task.TaskData, Made: r.results[0].Made}, nil
}

// single returns the error of the operation for a request with one operation.
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
		// The second of two transactions of one user would miss the creates of that user.
		OrderKey: func(r *request) string { return r.userID },
		// A repeated request finds the kept answer only after the first request has committed.
		DistinctKey: func(r *request) string {
			if r.key == nil {
				return ""
			}
			return r.userID + r.key.Key
		},
	}
}

// createTogether writes the requests in one transaction. It sets the outcome of each request, or marks it as missed.
func (s *Service) createTogether(ctx context.Context, batch []*request) {
	err := s.write(ctx, batch, false, false)
	for _, r := range batch {
		if _, ok := needsRoom(r.err); ok {
			r.missed = true
		}
	}
	if err == nil {
		return
	}
	refused := errors.Is(err, ErrRefused) || errors.Is(err, ErrKeyTaken)
	for _, r := range batch {
		switch {
		case r.err != nil || r.replayed || r.missed: // the request already has its outcome
		case refused:
			r.missed = true
		default:
			r.err = err
		}
	}
}
