package auditlog

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// Inclusion checks that leaf is the entry at position in the log that the checkpoint signs. hashes are those of the
// proof.
func Inclusion(c Checkpoint, position int64, leaf []byte, hashes []tlog.Hash) error {
	if err := tlog.CheckRecord(hashes, c.Size, c.Root, position, tlog.RecordHash(leaf)); err != nil {
		return fmt.Errorf("entry %d in a log of %d: %w", position, c.Size, err)
	}
	return nil
}

// Consistency checks that the log of the newer checkpoint begins with all entries of the older one.
func Consistency(older, newer Checkpoint, hashes []tlog.Hash) error {
	if older.Origin != newer.Origin {
		return fmt.Errorf("the checkpoints belong to two logs, %q and %q", older.Origin, newer.Origin)
	}
	if err := tlog.CheckTree(hashes, newer.Size, newer.Root, older.Size, older.Root); err != nil {
		return fmt.Errorf("a log of %d as the beginning of one of %d: %w", older.Size, newer.Size, err)
	}
	return nil
}
