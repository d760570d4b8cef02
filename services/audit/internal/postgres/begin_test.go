package postgres_test

import (
	"errors"
	"log/slog"
	"testing"

	"github.com/taskwire/taskwire/pkg/platform/auditlog"
	"github.com/taskwire/taskwire/services/audit/internal/audittest"
	"github.com/taskwire/taskwire/services/audit/internal/domain"
)

// cut makes the log what an older backup of its database has: the first size entries, with their hashes and checkpoints.
func (v *victim) cut(size int64) {
	v.t.Helper()
	v.exec(`DELETE FROM entries WHERE position >= $1`, size)
	v.exec(`DELETE FROM hashes WHERE index >= stored_hashes($1)`, size)
	v.exec(`DELETE FROM checkpoints WHERE size > $1`, size)
}

func (v *victim) newest() domain.Kept {
	v.t.Helper()
	kept, err := v.store.Kept(v.t.Context(), 0, 1<<40)
	if err != nil || len(kept) == 0 {
		v.t.Fatalf("Kept: got %d checkpoints (%v), want some", len(kept), err)
	}
	return kept[len(kept)-1]
}

// A checkpoint that is larger than the log would be in the way after the signer was told where to begin, and the service
// cannot delete it.
func TestARestoredLogIsSignedOnceTheSignerBeginsThere(t *testing.T) {
	t.Parallel()
	v := newVictim(t)
	v.cut(keptSize)
	restored := audittest.Open(t, v.store, v.log.Signer, slog.New(slog.DiscardHandler))
	add(t, v.store, changes(t, 2)...)
	if _, err := restored.Checkpoint(t.Context()); err != nil {
		t.Fatalf("Checkpoint: got %v, want the newest kept one", err)
	}
	var bad *auditlog.Difference
	if err := restored.Checker.Ready(t.Context()); !errors.As(err, &bad) || bad.Kind != auditlog.KindShort {
		t.Errorf("Ready: got %v, want the kind %s", err, auditlog.KindShort)
	}
	if got := v.newest().Size; got != keptSize {
		t.Errorf("the newest kept checkpoint has size %d, want %d: no larger one than the log", got, keptSize)
	}
	v.log.Signer.Begin(t, v.newest().Signed)
	restored.Checker.Pass(t.Context(), true)
	v.log = restored
	if got := v.head().Size; got != keptSize+2 {
		t.Errorf("head after the signer began there: got size %d, want %d", got, keptSize+2)
	}
}

// The signer's last checkpoint can become known while the service runs on the restored database.
func TestAStaleAnswerLargerThanTheLogIsNotKept(t *testing.T) {
	t.Parallel()
	v := newVictim(t)
	last, _, _ := v.log.Signer.Last(t.Context())
	v.cut(keptSize)
	v.log.Signer.Begin(t, v.newest().Signed)
	restored := audittest.Open(t, v.store, v.log.Signer, slog.New(slog.DiscardHandler))
	add(t, v.store, changes(t, 2)...)
	v.log.Signer.Begin(t, last) // it was signed by another replica, on the database of before
	if _, err := restored.Checkpoint(t.Context()); err != nil {
		t.Fatalf("Checkpoint: got %v, want the newest kept one", err)
	}
	var bad *auditlog.Difference
	if err := restored.Checker.Ready(t.Context()); !errors.As(err, &bad) || bad.Kind != auditlog.KindShort || bad.Until != entriesBefore {
		t.Errorf("Ready: got %v, want that a log of %d was signed", err, entriesBefore)
	}
	if got := v.newest().Size; got != keptSize {
		t.Errorf("the newest kept checkpoint has size %d, want %d", got, keptSize)
	}
}
