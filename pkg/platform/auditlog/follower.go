package auditlog

import (
	"context"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// Prove returns the consistency proof between two sizes of a log, from 1 on.
type Prove func(ctx context.Context, from, to int64) ([]tlog.Hash, error)

// Follow compares a newly shown checkpoint with the last one that was kept, and returns the one to keep. last is nil at
// the first time. A *Difference is an alarm: another key, a shorter log, or a fork. Any other error is one of prove.
func Follow(ctx context.Context, key string, last *Checkpoint, signed []byte, prove Prove) (Checkpoint, error) {
	now, err := OpenCheckpoint(signed, key)
	if err != nil {
		return Checkpoint{}, &Difference{Kind: KindKey, Detail: err.Error()}
	}
	switch {
	case last == nil:
		return now, nil
	case now.Size < last.Size:
		return Checkpoint{}, &Difference{Kind: KindShort, Position: now.Size, Until: last.Size}
	case now.Size == last.Size:
		if now.Root != last.Root {
			return Checkpoint{}, &Difference{Kind: KindFork, Until: last.Size, Detail: "two roots were signed for this size"}
		}
		return now, nil
	case last.Size == 0:
		return now, nil // every log begins with the empty one
	}
	hashes, err := prove(ctx, last.Size, now.Size)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("ask for the proof from %d to %d: %w", last.Size, now.Size, err)
	}
	if Consistency(*last, now, hashes) != nil {
		return Checkpoint{}, &Difference{Kind: KindFork, Until: last.Size, Detail: "its proof of consistency is wrong"}
	}
	return now, nil
}
