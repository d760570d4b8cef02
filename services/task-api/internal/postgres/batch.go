package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/outbox"
	pg "github.com/taskwire/taskwire/pkg/platform/postgres"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
)

// MaxBatch bounds the operations of one batch: with their events about 2,000 rows, a transaction that holds the user's
// lock for some tens of milliseconds.
const MaxBatch = 500

// MaxKeptAnswer bounds what is kept for a day of one batch with a key. Creates and replaces stay below it, because what they
// answer came with their request; 500 tasks with descriptions of the longest kind, completed by their ids, do not.
const MaxKeptAnswer = 4 << 20

// ErrAnswerTooLarge says that the answer of a batch is larger than MaxKeptAnswer, and that nothing was done.
var ErrAnswerTooLarge = errors.New("the answer of the batch is too large to be kept")

// Op is one operation of a batch.
type Op struct {
	// Create makes a task; nil for an operation on a task that is there.
	Create func(id, userID string, d domain.Defaults) (domain.Task, error)
	// TaskID is the task to change. With Create it is the id of the new task, "" for one that is made here. A task of
	// the user that has it already, a deleted one too, is the result, and nothing is made.
	TaskID string
	// Alias is another id under which the task of a Create may be there already.
	Alias string
	// IfMatch, Apply and Deleted are those of ChangeRequest. Skip is Store.Skip.
	IfMatch *Versions
	Apply   func(t domain.Task, d domain.Defaults) (domain.Task, error)
	Deleted bool
	Skip    bool
	// Err fails the operation without an attempt.
	Err error
}

// OpResult is what became of an operation: the task as it was right after it, or the reason why it had no effect.
type OpResult struct {
	Task domain.Task
	Made bool // a task was made
	Err  error
}

// BatchRequest asks for several operations in one transaction.
type BatchRequest struct {
	UserID string
	Ops    []Op
	Atomic bool            // all, or nothing
	Key    *IdempotencyKey // nil: a repetition is another batch
	// Answer writes the answer that Key keeps; needed only with a key. One above MaxKeptAnswer is ErrAnswerTooLarge.
	Answer func([]OpResult) ([]byte, error)
}

// BatchAnswer is the outcome. A repetition with a key has the Body of the first time only.
type BatchAnswer struct {
	Results  []OpResult // one each, in the order of the operations
	Body     []byte     // what Answer made
	Replayed bool
}

// AtomicError says which operation kept an atomic batch from being done.
type AtomicError struct {
	Index int
	Err   error
}

func (e *AtomicError) Error() string { return fmt.Sprintf("operation %d: %v", e.Index, e.Err) }

// Unwrap is the reason.
func (e *AtomicError) Unwrap() error { return e.Err }

// ErrRefused says that the database refused the values of an operation.
var ErrRefused = errors.New("the database refused the values of the operation")

// Batch does the operations one after the other, each on what those before it left, in one transaction with one wake
// of the relay. An operation that fails has no effect, and the others do; with Atomic the first failure is an
// *AtomicError and nothing is done.
//
// The operations are computed in memory under the user's lock and written in three statements, whatever their number.
// Should the database refuse one of the rows, the batch is done over with a savepoint around each operation, so that
// only that one is lost.
func (s *Store) Batch(ctx context.Context, r BatchRequest) (BatchAnswer, error) {
	if len(r.Ops) > MaxBatch {
		return BatchAnswer{}, fmt.Errorf("a batch of %d operations: at most %d are taken", len(r.Ops), MaxBatch)
	}
	answer, err := s.batchOnce(ctx, r, false)
	if pg.IsUniqueViolation(err, "idempotency_keys_pkey") {
		answer, err = s.batchOnce(ctx, r, false) // as in Create: now the first answer is there
	}
	if pg.IsRefused(err) {
		answer, err = s.batchOnce(ctx, r, true)
	}
	return answer, err
}

func (s *Store) batchOnce(ctx context.Context, r BatchRequest, careful bool) (answer BatchAnswer, err error) {
	err = s.outbox.InTx(ctx, func(tx *outbox.Tx) error {
		answer = BatchAnswer{}
		if r.Key != nil {
			kept, ok, err := claim(tx.DB, r.UserID, *r.Key)
			if err != nil || ok {
				answer.Body, answer.Replayed = []byte(kept), ok
				return err
			}
		}
		b, err := s.newBatch(ctx, tx, r)
		if err != nil {
			return err
		}
		for i, op := range r.Ops {
			result, err := b.do(op, careful)
			if err != nil {
				return err
			}
			if result.Err != nil && r.Atomic {
				return &AtomicError{i, result.Err}
			}
			answer.Results = append(answer.Results, result)
		}
		if len(b.logged) == 0 && r.Key == nil {
			return errUnchanged
		}
		if err := b.end(careful); err != nil || r.Key == nil {
			return err
		}
		if answer.Body, err = r.Answer(answer.Results); err != nil {
			return err
		}
		if len(answer.Body) > MaxKeptAnswer {
			return ErrAnswerTooLarge
		}
		err = tx.Exec(`INSERT INTO idempotency_keys (user_id, key, request_hash, answer) VALUES (?, ?, ?, ?)`,
			r.UserID, r.Key.Key, r.Key.Hash[:], string(answer.Body)).Error
		if err != nil {
			return fmt.Errorf("keep answer of batch: %w", err)
		}
		return nil
	})
	if errors.Is(err, errUnchanged) {
		err = nil
	}
	if err != nil {
		return BatchAnswer{}, err
	}
	return answer, nil
}

// do does one operation in memory. err ends the batch; what ends the operation alone is in its result.
func (b *batch) do(op Op, careful bool) (OpResult, error) {
	if op.Err != nil {
		_, result, err := refuse(op.Err)
		return result, err
	}
	mark := b.tx.Mark()
	step, result, err := b.compute(op)
	if err == nil && result.Err == nil && careful {
		result.Err, err = b.writeAlone(step)
	}
	if err != nil || result.Err != nil {
		b.tx.Rewind(mark)
		return OpResult{Err: result.Err}, err
	}
	b.take(step)
	return result, nil
}

// refuse ends an operation, and the batch goes on.
func refuse(reason error) ([]written, OpResult, error) { return nil, OpResult{Err: reason}, nil }

func (b *batch) compute(op Op) ([]written, OpResult, error) {
	if op.Create != nil {
		return b.create(op)
	}
	before, ok := b.tasks[op.TaskID]
	switch {
	case !ok, before.DeletedAt != nil && !op.Deleted:
		return refuse(domain.ErrNotFound)
	case !op.IfMatch.accept(before.Version):
		return refuse(domain.ErrStale)
	case op.Skip:
		return b.skip(before)
	}
	after, err := op.Apply(before, b.defaults(before))
	if err != nil {
		return refuse(err)
	}
	return b.change(before, after)
}

func (b *batch) create(op Op) ([]written, OpResult, error) {
	for _, id := range []string{op.TaskID, op.Alias} {
		if t, ok := b.tasks[id]; ok && id != "" {
			return nil, OpResult{Task: t}, nil
		}
	}
	id := op.TaskID
	if id == "" {
		made, err := uuid.NewV7()
		if err != nil {
			return nil, OpResult{}, fmt.Errorf("make task id: %w", err)
		}
		id = made.String()
	}
	t, err := op.Create(id, b.userID, domain.Defaults{Timezone: b.zone, Now: b.s.now()})
	if err != nil {
		return refuse(err)
	}
	w, refused, err := b.insert(t, b.seq+1)
	return []written{w}, OpResult{Task: w.task, Made: true, Err: refused}, err
}

// change is Store.update.
func (b *batch) change(before, after domain.Task) ([]written, OpResult, error) {
	changes := domain.Diff(before, after)
	if len(changes) == 0 {
		return nil, OpResult{Task: before}, nil
	}
	after.Version, after.Seq, after.UpdatedAt = before.Version+1, b.seq+1, domain.Instant(b.defaults(before).Now)
	w, refused, err := b.made(&before, after, domain.EventType(before, after), changes)
	return []written{w}, OpResult{Task: after, Err: refused}, err
}

// skip is Store.Skip.
func (b *batch) skip(before domain.Task) ([]written, OpResult, error) {
	skipped, next, more, err := domain.Skip(before, b.defaults(before).Now)
	if err != nil {
		return refuse(err)
	}
	step, result, err := b.change(before, skipped)
	if err != nil || result.Err != nil || len(step) == 0 || !more {
		return step, result, err
	}
	id, err := domain.SuccessorID(before.SeriesID, before.OccurrenceNo+1)
	if err != nil {
		return nil, OpResult{}, fmt.Errorf("successor of task %s: %w", before.ID, err)
	}
	if _, ok := b.tasks[id]; ok {
		return step, result, nil
	}
	_, err = occurrence(b.tx.DB, before.SeriesID, before.OccurrenceNo+1)
	if !errors.Is(err, domain.ErrNotFound) {
		return step, result, err
	}
	t, err := domain.Successor(before, next, b.s.now())
	if err != nil {
		return refuse(err)
	}
	w, refused, err := b.insert(t, b.seq+2)
	return append(step, w), OpResult{Task: result.Task, Err: refused}, err
}

func (b *batch) insert(t domain.Task, seq int64) (w written, refused, err error) {
	t.Version, t.Seq = 1, seq
	return b.made(nil, t, events.Created, nil)
}
