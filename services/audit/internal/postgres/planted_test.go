package postgres_test

import (
	"errors"
	"log/slog"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/taskwire/taskwire/pkg/platform/auditlog"
	"github.com/taskwire/taskwire/services/audit/internal/audittest"
)

// The service's role may add rows to the kept checkpoints. A row that is no checkpoint of the log must not stop signatures
// silently, nor be shown.
func TestAPlantedCheckpointIsNamedAndNeverShown(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		size int64
		own  bool // names the log's key
		want auditlog.Kind
	}{
		{"far above the log", 1_000_000, false, auditlog.KindKey},
		{"far above the log with its key's name", 1_000_000, true, auditlog.KindKey},
		{"just above the log", entriesBefore + 1, true, auditlog.KindKey},
		{"of the log's size", entriesBefore, true, auditlog.KindKey},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v := newVictim(t)
			key := "x"
			if c.own {
				key = v.log.Signer.Key
			}
			v.exec(`SET ROLE audit_app`)
			v.exec(`INSERT INTO checkpoints (size, root, checkpoint, verifier_key) VALUES ($1, $2, 'x', $3)`, c.size, auditlog.EmptyRoot[:], key)
			if got := v.head(); got != v.last {
				t.Errorf("head: got %+v, want %+v", got, v.last)
			}
			v.log.Checker.Pass(t.Context(), true)
			v.wantKind(c.want)
			v.neverSigned()
			if got := v.head(); got != v.last {
				t.Errorf("head after the check: got %+v, want %+v", got, v.last)
			}
		})
	}
}

// wantKind checks that the checker reports a difference of the kind.
func (v *victim) wantKind(want auditlog.Kind) {
	v.t.Helper()
	var bad *auditlog.Difference
	if err := v.log.Checker.Ready(v.t.Context()); !errors.As(err, &bad) || bad.Kind != want {
		v.t.Errorf("Ready: got %v, want the kind %s", err, want)
	}
}

func TestTheCheckOfNewEntriesFindsAPlantedCheckpoint(t *testing.T) {
	t.Parallel()
	v := newVictim(t)
	v.exec(`INSERT INTO checkpoints (size, root, checkpoint, verifier_key) VALUES (1000000, $1, 'x', 'x')`, auditlog.EmptyRoot[:])
	add(t, v.store, changes(t, 1)...)
	if _, err := v.log.Checker.UpTo(t.Context(), -1); err == nil {
		t.Error("UpTo: got a root, want the difference")
	}
	v.wantKind(auditlog.KindKey)
}

// A valid signature of a larger log means that the entries of it are gone.
func TestAKeptCheckpointAboveTheLogIsACut(t *testing.T) {
	t.Parallel()
	v := newVictim(t)
	key, err := note.NewSigner(v.log.Signer.Secret)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := auditlog.Checkpoint{Origin: audittest.Origin, Size: entriesBefore + 8, Root: tlog.Hash{1}}.Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	v.exec(`INSERT INTO checkpoints (size, root, checkpoint, verifier_key) VALUES ($1, $2, $3, $4)`,
		entriesBefore+8, auditlog.EmptyRoot[:], string(signed), v.log.Signer.Key)
	v.log.Checker.Pass(t.Context(), true)
	v.wantKind(auditlog.KindShort)
	v.neverSigned()
}

// With a new key the signer begins at the empty log, and the log's entries are those of before.
func TestANewKeySignsTheLogFromItsBeginning(t *testing.T) {
	t.Parallel()
	for name, restart := range map[string]bool{"while the service runs": false, "before the service starts": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVictim(t)
			old := v.log.Signer.Key
			v.log.Signer.Rotate(t)
			if restart {
				v.log = audittest.Open(t, v.store, v.log.Signer, slog.New(slog.DiscardHandler))
			} else {
				v.log.Checker.Pass(t.Context(), true) // within a minute it asks the signer for the last checkpoint
			}
			if got := v.head(); got != v.last { // head opens it with the new key
				t.Errorf("the first checkpoint of the new key: got %+v, want the head %+v", got, v.last)
			}
			add(t, v.store, changes(t, 2)...)
			if got := v.head().Size; got != entriesBefore+2 {
				t.Errorf("head: got size %d, want %d", got, entriesBefore+2)
			}
			v.log.Checker.Pass(t.Context(), true)
			if err := v.log.Checker.Ready(t.Context()); err != nil {
				t.Errorf("Ready: got %v, want nil: the log is compared with the checkpoints of both keys", err)
			}
			if err := v.verify(); err != nil { // every checkpoint of the export has the new key
				t.Errorf("verify with the new key: %v", err)
			}
			if key, err := v.log.VerifierKey(t.Context()); err != nil || key == old {
				t.Errorf("VerifierKey: got %q (%v), want the new one", key, err)
			}
		})
	}
}

// A change of the key is no way to a rewritten log: the checkpoints of the key before are still compared.
func TestTheCheckpointsOfAnEarlierKeyStillCount(t *testing.T) {
	t.Parallel()
	v := newVictim(t)
	before := v.newest()
	v.log.Signer.Rotate(t)
	v.rewrite(v.log.Signer.Secret, v.log.Signer.Key)
	v.exec(`DELETE FROM checkpoints`)
	if err := v.store.Keep(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	v.log.Checker.Pass(t.Context(), true)
	v.wantKind(auditlog.KindRoot)
	v.neverSigned()
	if shown, err := v.log.Checkpoint(t.Context()); err != nil || string(shown) != string(before.Signed) {
		t.Errorf("Checkpoint: got %q (%v), want the newest one of the key before", shown, err)
	}
}
