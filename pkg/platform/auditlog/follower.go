package auditlog

import (
	"context"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// Prove returns the consistency proof between two sizes of a log, from 1 on.
type Prove func(ctx context.Context, from, to int64) ([]tlog.Hash, error)

// Follow compares a newly shown checkpoint with the last one that was kept, and returns the one to keep. last is nil at
// the first time. A *Difference is an alarm: another key, a shorter log, or a fork. Any other error is a *ProofError.
func Follow(ctx context.Context, key string, last *Checkpoint, signed []byte, prove Prove) (Checkpoint, error) {
	now, err := OpenCheckpoint(signed, key)
	if err != nil {
		return Checkpoint{}, &Difference{Kind: KindKey, Detail: err.Error()}
	}
	if last == nil {
		return now, nil
	}
	if err := Continues(ctx, *last, now, prove); err != nil {
		return Checkpoint{}, err
	}
	return now, nil
}

// Continues returns nil if the log of the checkpoint now begins with the log of the earlier one, last. Both must have been
// opened with the log's key. A *Difference is an alarm: a shorter log, or a fork. A *ProofError means that it is not known.
func Continues(ctx context.Context, last, now Checkpoint, prove Prove) error {
	switch {
	case now.Size < last.Size:
		return &Difference{Kind: KindShort, Position: now.Size, Until: last.Size}
	case now.Size == last.Size:
		if now.Root != last.Root {
			return forkAt(0, last.Size)
		}
		return nil
	case last.Size == 0:
		return nil // every log begins with the empty one
	}
	hashes, err := prove(ctx, last.Size, now.Size)
	if err != nil {
		return &ProofError{From: last.Size, To: now.Size, Err: err}
	}
	if Consistency(last, now, hashes) != nil {
		return &Difference{Kind: KindFork, Until: last.Size, Detail: "its proof of consistency is wrong"}
	}
	return nil
}

// ProofError means that the log showed a signed checkpoint and gave no proof that it continues an earlier one.
type ProofError struct {
	From, To int64 // the two sizes
	Err      error // of Prove
}

func (e *ProofError) Error() string {
	return fmt.Sprintf("ask for the proof from %d to %d: %v", e.From, e.To, e.Err)
}

// Unwrap returns the error of Prove.
func (e *ProofError) Unwrap() error { return e.Err }
