package domain

// This file exports the log for a verifier, part by part.

import (
	"context"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/taskwire/taskwire/pkg/platform/auditlog"
)

// exportBatch is how many entries are read at once, and so what an export needs of memory: some 2 MB.
const exportBatch = 500

// Export is an export that has begun.
type Export struct {
	log  *Log
	user string // "" for the whole log
	head Kept
	next int64
}

// Export begins an export at a position, up to the newest checkpoint. With a userID it has that user's entries, each with its
// proof of inclusion; with "" it has all entries, as they are stored. It returns ErrNoCheckpoint when there is no
// checkpoint, and a *SizeError when from is behind the newest one.
func (l *Log) Export(ctx context.Context, userID string, from int64) (*Export, error) {
	head, err := l.checkpoints.Head(ctx)
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	if from < 0 || from > head.Size {
		return nil, &SizeError{"from", fmt.Sprintf("must be 0 to %d, the number of signed entries", head.Size)}
	}
	return &Export{log: l, user: userID, head: head, next: from}, nil
}

// First returns the first line.
func (x *Export) First() auditlog.Line {
	return auditlog.Line{Log: &auditlog.ExportLog{
		Format: auditlog.ExportFormat, Whole: x.user == "", From: x.next, Checkpoint: string(x.head.Signed), Key: x.head.Key,
	}}
}

// Last returns the last line. complete is false when the export ends early.
func (x *Export) Last(complete bool) auditlog.Line {
	return auditlog.Line{End: &auditlog.ExportEnd{Next: x.next, Complete: complete}}
}

// Part returns the next lines, and whether these are the last ones. It does not judge: a verifier does.
func (x *Export) Part(ctx context.Context) (lines []auditlog.Line, done bool, err error) {
	if x.user != "" {
		return x.ownPart(ctx)
	}
	to := min(x.next+exportBatch, x.head.Size)
	part, err := x.log.checkpoints.store.Part(ctx, x.next, to)
	if err != nil {
		return nil, false, fmt.Errorf("export: %w", err)
	}
	kept, err := x.log.checkpoints.store.Kept(ctx, x.next, to)
	if err != nil {
		return nil, false, fmt.Errorf("export: %w", err)
	}
	for i := range part.Entries {
		e := &part.Entries[i]
		lines = append(lines, auditlog.Line{Entry: e})
		x.next = e.Position + 1
		for len(kept) > 0 && kept[0].Size <= x.next {
			if kept[0].Size == x.next && kept[0].Key == x.head.Key { // a verifier has one key
				lines = append(lines, auditlog.Line{Checkpoint: string(kept[0].Signed)})
			}
			kept = kept[1:]
		}
	}
	// Where entries are missing, the end is where the rest ends: the verifier says so.
	return lines, to >= x.head.Size || len(part.Entries) == 0, nil
}

// ownPart returns the next entries of a user.
func (x *Export) ownPart(ctx context.Context) (lines []auditlog.Line, done bool, err error) {
	after := x.next - 1
	found, err := x.log.reader.List(ctx, Filter{UserID: x.user, After: &after}, MaxLimit)
	if err != nil {
		return nil, false, fmt.Errorf("export: %w", err)
	}
	for _, e := range found {
		if e.Position >= x.head.Size {
			return lines, true, nil // recorded after the checkpoint
		}
		proof, err := tlog.ProveRecord(x.head.Size, e.Position, x.log.hashes(ctx))
		if err != nil {
			return nil, false, fmt.Errorf("export: prove entry %d: %w", e.Position, err)
		}
		lines = append(lines, auditlog.Line{Entry: exported(e, proof)})
		x.next = e.Position + 1
	}
	return lines, len(found) < MaxLimit, nil
}

func exported(e Entry, proof []tlog.Hash) *auditlog.Entry {
	return &auditlog.Entry{
		Position: e.Position,
		Fields: auditlog.Fields{
			EventID: e.EventID, EventType: e.EventType, UserID: e.UserID, TaskID: e.TaskID, TaskVersion: e.TaskVersion, Seq: e.Seq,
			Actor: e.Actor, OccurredAt: e.OccurredAt,
		},
		RecordedAt: e.RecordedAt, Leaf: e.Leaf(), LeafHash: e.LeafHash[:], Proof: proof,
	}
}
