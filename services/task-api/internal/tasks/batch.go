package tasks

import (
	"context"
	"fmt"
)

// MaxBatch is the largest number of operations in one batch. With their events they write about 2,000 rows, and the
// transaction holds the user's lock for some tens of milliseconds.
const MaxBatch = 500

// BatchRequest is a request for several operations in one transaction.
type BatchRequest struct {
	UserID string
	Ops    []Op
	Atomic bool            // the first failure undoes all operations
	Key    *IdempotencyKey // nil: a repeated request runs again
	// Answer encodes the answer that is kept for Key. It is required only with a key. When the answer is larger than
	// MaxKeptAnswer, Batch returns ErrAnswerTooLarge.
	Answer func([]OpResult) ([]byte, error)
}

// BatchAnswer is the outcome of a batch. When Replayed is set, it has only the Body of the first request.
type BatchAnswer struct {
	Results  []OpResult // one for each operation, in their order
	Body     []byte     // the result of Answer
	Replayed bool
}

// Batch runs the operations in order, in one transaction. Each operation sees the effects of the earlier ones. A failed
// operation has no effect, and the others run. With Atomic, the first failure undoes everything, and Batch returns an
// *AtomicError.
//
// The operations are decided in memory under the user's lock. A few statements write all of them. When the database
// refuses one of the rows, the batch runs again with a savepoint around each operation, so that only the refused operation
// fails.
func (s *Service) Batch(ctx context.Context, b BatchRequest) (BatchAnswer, error) {
	if len(b.Ops) > MaxBatch {
		return BatchAnswer{}, fmt.Errorf("batch has %d operations, at most %d are allowed", len(b.Ops), MaxBatch)
	}
	r, err := newRequest(ctx, b.UserID, b.Key, b.Ops...)
	if err != nil {
		return BatchAnswer{}, err
	}
	r.atomic, r.encode = b.Atomic, b.Answer
	if err := s.writeAlone(r); err != nil {
		return BatchAnswer{}, err
	}
	return BatchAnswer{Results: r.results, Body: r.body, Replayed: r.replayed}, nil
}
