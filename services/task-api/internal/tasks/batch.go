package tasks

import (
	"context"
	"fmt"
)

// MaxBatch bounds the operations of one batch. With their events they are about 2,000 rows: a transaction that holds the
// user's lock for some tens of milliseconds.
const MaxBatch = 500

// BatchRequest asks for several operations in one transaction.
type BatchRequest struct {
	UserID string
	Ops    []Op
	Atomic bool            // all, or nothing
	Key    *IdempotencyKey // nil: a repetition is another batch
	// Answer encodes the answer that Key keeps; needed only with a key. An answer above MaxKeptAnswer is
	// ErrAnswerTooLarge.
	Answer func([]OpResult) ([]byte, error)
}

// BatchAnswer is the outcome. A repetition with a key has only the Body of the first time.
type BatchAnswer struct {
	Results  []OpResult // one each, in the order of the operations
	Body     []byte     // what Answer made
	Replayed bool
}

// Batch does the operations one after the other, each on what those before it left, in one transaction. An operation
// that fails has no effect, and the others are done. With Atomic the first failure is an *AtomicError and nothing is
// done.
//
// The operations are decided in memory under the user's lock and written in a few statements, however many they are. If
// the database refuses one of the rows, the batch is repeated with a savepoint around each operation, so that only that
// one is lost.
func (s *Service) Batch(ctx context.Context, b BatchRequest) (BatchAnswer, error) {
	if len(b.Ops) > MaxBatch {
		return BatchAnswer{}, fmt.Errorf("a batch of %d operations: at most %d are taken", len(b.Ops), MaxBatch)
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
