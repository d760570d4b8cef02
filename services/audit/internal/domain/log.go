package domain

// This file makes proofs.

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// ErrNotFound is wrapped when the log has no such entry, or when the entry belongs to another user.
var ErrNotFound = errors.New("no such audit entry")

// SizeError reports a request for a proof of a tree that the log does not have, or not yet. Field is the wrong parameter,
// and Reason is a text for the caller.
type SizeError struct{ Field, Reason string }

func (e *SizeError) Error() string { return e.Field + ": " + e.Reason }

// Log reads the audit log: lists, checkpoints and proofs.
type Log struct {
	reader      Reader
	checkpoints *Checkpoints
}

// NewLog makes a Log.
func NewLog(r Reader, c *Checkpoints) *Log { return &Log{reader: r, checkpoints: c} }

// VerifierKey returns the public key that verifies checkpoints, in note format.
func (l *Log) VerifierKey(ctx context.Context) (string, error) { return l.checkpoints.Key(ctx) }

// Checkpoint returns the signed head of the current tree, or the newest one that was kept if it cannot be signed now.
func (l *Log) Checkpoint(ctx context.Context) ([]byte, error) {
	head, err := l.checkpoints.Head(ctx)
	return head.Signed, err
}

// Inclusion is the proof that an entry is in the tree with Size entries.
type Inclusion struct {
	Entry  Entry
	Size   int64
	Root   tlog.Hash
	Hashes tlog.RecordProof
}

// EntryRef names an entry: by EventID, or by Position if EventID is empty.
type EntryRef struct {
	EventID  string
	Position int64
}

// ProveInclusion proves that an entry is in the tree with size entries. Size 0 means the current tree, and userID "" means
// any user. For an entry of another user it returns ErrNotFound, so that proofs do not reveal which users have entries.
func (l *Log) ProveInclusion(ctx context.Context, userID string, which EntryRef, size int64) (Inclusion, error) {
	var e Entry
	var err error
	if which.EventID != "" {
		e, err = l.reader.ByEventID(ctx, which.EventID)
	} else {
		e, err = l.reader.ByPosition(ctx, which.Position)
	}
	if err != nil {
		return Inclusion{}, fmt.Errorf("prove inclusion: %w", err)
	}
	if userID != "" && e.UserID != userID {
		return Inclusion{}, fmt.Errorf("prove inclusion: %w", ErrNotFound)
	}
	if size, err = l.treeSize(ctx, "size", size); err != nil {
		return Inclusion{}, err
	}
	if e.Position >= size {
		return Inclusion{}, &SizeError{"size", fmt.Sprintf("must be above the entry's position, %d", e.Position)}
	}
	p := Inclusion{Entry: e, Size: size}
	if p.Root, err = tlog.TreeHash(size, l.hashes(ctx)); err != nil {
		return Inclusion{}, fmt.Errorf("root of size %d: %w", size, err)
	}
	if p.Hashes, err = tlog.ProveRecord(size, e.Position, l.hashes(ctx)); err != nil {
		return Inclusion{}, fmt.Errorf("prove entry %d in size %d: %w", e.Position, size, err)
	}
	return p, nil
}

// Consistency is the proof that the tree with From entries is the beginning of the tree with To entries.
type Consistency struct {
	From, To         int64
	FromRoot, ToRoot tlog.Hash
	Hashes           tlog.TreeProof
}

// ProveConsistency proves that the log only grew between two sizes. from is at least 1; to 0 is the current size.
func (l *Log) ProveConsistency(ctx context.Context, from, to int64) (Consistency, error) {
	to, err := l.treeSize(ctx, "to", to)
	if err != nil {
		return Consistency{}, err
	}
	if from < 1 || from > to {
		return Consistency{}, &SizeError{"from", fmt.Sprintf("must be 1 to %d", to)}
	}
	p := Consistency{From: from, To: to}
	if p.FromRoot, err = tlog.TreeHash(from, l.hashes(ctx)); err != nil {
		return Consistency{}, fmt.Errorf("root of size %d: %w", from, err)
	}
	if p.ToRoot, err = tlog.TreeHash(to, l.hashes(ctx)); err != nil {
		return Consistency{}, fmt.Errorf("root of size %d: %w", to, err)
	}
	if p.Hashes, err = tlog.ProveTree(to, from, l.hashes(ctx)); err != nil {
		return Consistency{}, fmt.Errorf("prove size %d in size %d: %w", from, to, err)
	}
	return p, nil
}

// treeSize returns the tree size for a proof: asked, or the current size if asked is 0. It checks that the log has that size.
func (l *Log) treeSize(ctx context.Context, field string, asked int64) (int64, error) {
	size, err := l.reader.Size(ctx)
	if err != nil {
		return 0, fmt.Errorf("tree size: %w", err)
	}
	switch {
	case asked == 0:
		return size, nil
	case asked < 0 || asked > size:
		return 0, &SizeError{field, fmt.Sprintf("must be 1 to %d, the number of entries now", size)}
	}
	return asked, nil
}

func (l *Log) hashes(ctx context.Context) tlog.HashReader { return hashReader(ctx, l.reader) }

// hashReader reads the stored hashes of the tree. A stored hash never changes, so the reads for one tree need no snapshot.
func hashReader(ctx context.Context, from interface {
	ReadHashes(ctx context.Context, indexes []int64) ([]tlog.Hash, error)
}) tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		found, err := from.ReadHashes(ctx, indexes)
		if err != nil {
			return nil, err
		}
		if len(found) != len(indexes) {
			return nil, fmt.Errorf("read %d stored hashes: got %d", len(indexes), len(found))
		}
		return found, nil
	})
}
