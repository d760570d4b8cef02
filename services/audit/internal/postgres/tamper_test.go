package postgres_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/taskwire/taskwire/pkg/platform/auditlog"
	"github.com/taskwire/taskwire/services/audit/internal/audittest"
	"github.com/taskwire/taskwire/services/audit/internal/domain"
	"github.com/taskwire/taskwire/services/audit/internal/postgres"
	"github.com/taskwire/taskwire/testkit/logtest"
)

const (
	entriesBefore = 12 // of the log that is tampered with
	keptSize      = 5  // of the checkpoint that an auditor keeps
)

// victim is a log with a superuser's connection to its database.
type victim struct {
	t      *testing.T
	store  *postgres.Store
	log    *audittest.Log
	out    *logtest.Buffer
	conn   *pgx.Conn
	kept   auditlog.Checkpoint // what an auditor keeps: of keptSize
	last   auditlog.Checkpoint // and a watcher: of entriesBefore
	leaves [][]byte            // as they were recorded
}

func newVictim(t *testing.T) *victim {
	t.Helper()
	store, db := open(t)
	v := &victim{t: t, store: store, out: &logtest.Buffer{}}
	conn, err := pgx.Connect(context.Background(), db.AdminURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	v.conn = conn
	entries := changes(t, entriesBefore)
	for _, e := range entries {
		v.leaves = append(v.leaves, e.Leaf())
	}
	v.log = audittest.Open(t, store, audittest.NewSigner(t), slog.New(slog.NewTextHandler(v.out, nil)))
	add(t, store, entries[:keptSize]...)
	v.kept = v.head()
	add(t, store, entries[keptSize:]...)
	v.last = v.head()
	// What protects the rows against the service, a superuser takes away.
	v.exec(`ALTER TABLE entries DROP CONSTRAINT leaf_hash_is_of_leaf`)
	v.exec(`SET session_replication_role = replica`) // no trigger
	return v
}

func (v *victim) head() auditlog.Checkpoint {
	v.t.Helper()
	signed, err := v.log.Checkpoint(context.Background())
	if err != nil {
		v.t.Fatal(err)
	}
	c, err := auditlog.OpenCheckpoint(signed, v.log.Signer.Key)
	if err != nil {
		v.t.Fatal(err)
	}
	return c
}

func (v *victim) exec(statement string, args ...any) {
	v.t.Helper()
	if _, err := v.conn.Exec(context.Background(), statement, args...); err != nil {
		v.t.Fatalf("%s: %v", statement, err)
	}
}

// rewrite replaces the whole log by one whose third entry has another actor: leaves, columns, hashes and checkpoints.
func (v *victim) rewrite(secret, key string) {
	v.t.Helper()
	v.exec(`DELETE FROM hashes`)
	v.exec(`DELETE FROM checkpoints`)
	signer, err := note.NewSigner(secret)
	if err != nil {
		v.t.Fatal(err)
	}
	tree := &auditlog.Tree{}
	for i, leaf := range v.leaves {
		if i == 3 {
			leaf = []byte(strings.Replace(string(leaf), `"seq": 3`, `"seq": 33`, 1))
			v.exec(`UPDATE entries SET leaf = $1, leaf_hash = sha256('\x00'::bytea || $1), seq = 33, event = jsonb_set(event, '{seq}', '33') WHERE position = 3`, leaf)
		}
		at := tlog.StoredHashCount(int64(i))
		for k, hash := range tree.Append(tlog.RecordHash(leaf)) {
			v.exec(`INSERT INTO hashes VALUES ($1, $2)`, at+int64(k), hash[:])
		}
		if size := tree.Size(); size == keptSize || size == entriesBefore {
			signed, err := auditlog.Checkpoint{Origin: audittest.Origin, Size: size, Root: tree.Root()}.Sign(signer)
			if err != nil {
				v.t.Fatal(err)
			}
			root := tree.Root()
			v.exec(`INSERT INTO checkpoints (size, root, checkpoint, verifier_key) VALUES ($1, $2, $3, $4)`, size, root[:], string(signed), key)
		}
	}
}

// verify reads an export as `taskwire audit verify` does, with the kept checkpoint.
func (v *victim) verify() error {
	v.t.Helper()
	x, err := v.log.Export(context.Background(), "", 0)
	if err != nil {
		v.t.Fatal(err)
	}
	verifier := auditlog.NewVerifier(v.log.Signer.Key, v.kept, v.last)
	give := func(line auditlog.Line) error {
		raw, err := json.Marshal(line)
		if err != nil {
			v.t.Fatal(err)
		}
		return verifier.Line(raw)
	}
	if err := give(x.First()); err != nil {
		return err
	}
	for done := false; !done; {
		var lines []auditlog.Line
		if lines, done, err = x.Part(context.Background()); err != nil {
			v.t.Fatal(err)
		}
		for _, line := range lines {
			if err := give(line); err != nil {
				return err
			}
		}
	}
	if err := give(x.Last(true)); err != nil {
		return err
	}
	return verifier.Done()
}

// watch compares the shown checkpoint with the last one, as `taskwire audit watch` does.
func (v *victim) watch() error {
	v.t.Helper()
	signed, err := v.log.Checkpoint(context.Background())
	if err != nil {
		v.t.Fatal(err)
	}
	_, err = auditlog.Follow(context.Background(), v.log.Signer.Key, &v.last, signed, func(ctx context.Context, from, to int64) ([]tlog.Hash, error) {
		p, err := v.log.ProveConsistency(ctx, from, to)
		return p.Hashes, err
	})
	return err
}

const rehash = `UPDATE entries SET leaf = $1, leaf_hash = sha256('\x00'::bytea || $1) WHERE position = $2`

// Each thing that a superuser of the database can do to the log, and which check finds it with which message. A check that
// is empty here cannot see it: a watcher compares signed checkpoints, and the signer signs no other log.
func TestEveryTamperingIsFoundAndNamed(t *testing.T) {
	t.Parallel()
	other := func(v *victim, i int) []byte {
		return []byte(strings.Replace(string(v.leaves[i]), `"b"`, `"c"`, 1))
	}
	for _, c := range []struct {
		name                string
		tamper              func(v *victim)
		self, verify, watch string
	}{
		{name: "nothing", tamper: func(*victim) {}},
		{
			name:   "a column is edited",
			tamper: func(v *victim) { v.exec(`UPDATE entries SET actor = 'nobody' WHERE position = 3`) },
			self:   "entry 3: its column actor was changed", verify: "entry 3: its column actor was changed",
		},
		{
			name:   "a time is made infinite",
			tamper: func(v *victim) { v.exec(`UPDATE entries SET occurred_at = 'infinity' WHERE position = 3`) },
			self:   "entry 3: its column occurred_at was changed", verify: "entry 3: its column occurred_at was changed",
		},
		{
			name:   "a time is made infinite in the past",
			tamper: func(v *victim) { v.exec(`UPDATE entries SET recorded_at = '-infinity' WHERE position = 3`) },
			self:   "entry 3: its column recorded_at was changed", verify: "entry 3: its column recorded_at was changed",
		},
		{
			name: "a column is made NULL",
			tamper: func(v *victim) {
				v.exec(`ALTER TABLE entries ALTER COLUMN actor DROP NOT NULL`)
				v.exec(`UPDATE entries SET actor = NULL WHERE position = 3`)
			},
			self: "entry 3: its column", verify: "entry 3: its column", // the whole row cannot be read
		},
		{
			name:   "the document for queries is edited",
			tamper: func(v *victim) { v.exec(`UPDATE entries SET event = '{"b": 1}' WHERE position = 3`) },
			self:   "entry 3: its column event was changed", // an export has the leaf and not this column
		},
		{
			name:   "a leaf is edited",
			tamper: func(v *victim) { v.exec(`UPDATE entries SET leaf = $1 WHERE position = 3`, other(v, 3)) },
			self:   "entry 3: its leaf was changed", verify: "entry 3: its leaf was changed",
		},
		{
			name:   "a leaf is replaced by bytes that are no JSON",
			tamper: func(v *victim) { v.exec(`UPDATE entries SET leaf = 'x' WHERE position = 3`) },
			self:   "entry 3: its leaf was changed", verify: "entry 3: its leaf was changed",
		},
		{
			name:   "a leaf is edited with its hash",
			tamper: func(v *victim) { v.exec(rehash, other(v, 3), 3) },
			self:   "entry 3: its leaf and its hash were changed together", verify: "entry 3: its leaf and its hash were changed together",
		},
		{
			name: "two entries are swapped",
			tamper: func(v *victim) {
				v.exec(`UPDATE entries SET position = 1000 WHERE position = 3`)
				v.exec(`UPDATE entries SET position = 3 WHERE position = 8`)
				v.exec(`UPDATE entries SET position = 8 WHERE position = 1000`)
			},
			self: "entry 3 was swapped with entry 8", verify: "entry 3 was swapped with entry 8",
		},
		{
			name:   "an entry is deleted",
			tamper: func(v *victim) { v.exec(`DELETE FROM entries WHERE position = 3`) },
			self:   "entry 3 is missing", verify: "entry 3 is missing",
		},
		{
			name: "an entry is deleted and the gap is closed",
			tamper: func(v *victim) {
				v.exec(`DELETE FROM entries WHERE position = 3`)
				for at := 4; at < entriesBefore; at++ {
					v.exec(`UPDATE entries SET position = position - 1 WHERE position = $1`, at)
				}
			},
			self: "entry 3 was deleted and the later entries were moved down", verify: "entry 3 was deleted and the later entries were moved down",
		},
		{
			name: "an entry is inserted",
			tamper: func(v *victim) {
				for at := entriesBefore - 1; at >= 3; at-- {
					v.exec(`UPDATE entries SET position = position + 1 WHERE position = $1`, at)
				}
				v.exec(`INSERT INTO entries SELECT 3, $1, user_id, task_id, event_type, task_version, seq, occurred_at, recorded_at, actor, event, leaf, leaf_hash FROM entries WHERE position = 0`, uuid.New())
				v.exec(rehash, other(v, 0), 3)
			},
			self: "entry 3 was inserted", verify: "entry 3 was inserted",
		},
		{
			name: "an entry is added without the tree",
			tamper: func(v *victim) {
				v.exec(`INSERT INTO entries SELECT 12, $1, user_id, task_id, event_type, task_version, seq, occurred_at, recorded_at, actor, event, leaf, leaf_hash FROM entries WHERE position = 0`, uuid.New())
			},
			self: "entry 12 was added outside of the tree", // it is never signed, so it is in no export
		},
		{
			name: "an entry is added before the first one",
			tamper: func(v *victim) {
				v.exec(`ALTER TABLE entries DROP CONSTRAINT entries_position_check`)
				v.exec(`INSERT INTO entries SELECT -1, $1, user_id, task_id, event_type, task_version, seq, occurred_at, recorded_at, actor, event, leaf, leaf_hash FROM entries WHERE position = 0`, uuid.New())
			},
			self: "entry -1 was added outside of the tree",
		},
		{
			name: "a hash of the tree is edited",
			tamper: func(v *victim) {
				v.exec(`UPDATE hashes SET hash = sha256(hash) WHERE index = $1`, tlog.StoredHashIndex(1, 1))
			},
			self: "a hash that entry 3 completes is not the one of its leaves", // a verifier makes its own tree
		},
		{
			name: "the tail is cut",
			tamper: func(v *victim) {
				v.exec(`DELETE FROM entries WHERE position >= 8`)
				v.exec(`DELETE FROM hashes WHERE index >= $1`, tlog.StoredHashCount(8))
			},
			self: "the log was cut: it has 8 entries, and a log of 12 was signed", verify: "the log was cut: it has 8 entries, and a log of 12 was signed",
		},
		{
			name: "the tail is cut with its checkpoints",
			tamper: func(v *victim) {
				v.exec(`DELETE FROM entries WHERE position >= 5`)
				v.exec(`DELETE FROM hashes WHERE index >= $1`, tlog.StoredHashCount(5))
				v.exec(`DELETE FROM checkpoints WHERE size > 5`)
			},
			self: "the log was cut: it has 5 entries, and a log of 12 was signed", verify: "the log was cut: it has 5 entries, and a log of 12 was signed",
			watch: "the log was cut: it has 5 entries, and a log of 12 was signed",
		},
		{
			name: "a kept checkpoint is edited",
			tamper: func(v *victim) {
				v.exec(`UPDATE checkpoints SET checkpoint = replace(checkpoint, E'\n5\n', E'\n6\n') WHERE size = 5`)
			},
			self: "a checkpoint is not signed by the log's key", verify: "a checkpoint is not signed by the log's key",
		},
		{
			name:   "everything is rewritten with the log's key",
			tamper: func(v *victim) { v.rewrite(v.log.Signer.Secret, v.log.Signer.Key) },
			self:   "the log was rewritten: its first 12 entries", verify: "the log was forked", watch: "the log was forked",
		},
		{
			name: "everything is rewritten with a new key",
			tamper: func(v *victim) {
				thief := audittest.NewSigner(v.t)
				v.rewrite(thief.Secret, thief.Key)
			},
			self: "the log was rewritten: its first 12 entries", verify: "a checkpoint is not signed by the log's key", watch: "a checkpoint is not signed by the log's key",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v := newVictim(t)
			c.tamper(v)
			v.log.Checker.Pass(context.Background(), true)
			check := func(which string, got error, want string) {
				t.Helper()
				if want == "" && got != nil || want != "" && (got == nil || !strings.Contains(got.Error(), want)) {
					t.Errorf("%s: got %v, want %q", which, got, want)
				}
			}
			check("self-check", v.log.Checker.Ready(context.Background()), c.self)
			check("verify", v.verify(), c.verify)
			check("watch", v.watch(), c.watch)
			if c.self == "" {
				return
			}
			if !strings.Contains(v.out.String(), c.self) || !strings.Contains(v.out.String(), "level=ERROR") {
				t.Errorf("the log of the service does not name it:\n%s", v.out)
			}
			v.neverSigned()
		})
	}
}

// neverSigned checks that the signer signs nothing for the log as it is now.
func (v *victim) neverSigned() {
	v.t.Helper()
	before, _, err := v.log.Signer.Last(context.Background())
	if err != nil {
		v.t.Fatal(err)
	}
	if _, err := v.log.Checker.UpTo(context.Background(), -1); err == nil {
		v.t.Error("UpTo: got a root over a difference")
	}
	if _, err := v.log.Checkpoint(context.Background()); err != nil && !errors.Is(err, domain.ErrNoCheckpoint) {
		v.t.Errorf("Checkpoint: got %v, want the last good one", err)
	}
	if after, _, _ := v.log.Signer.Last(context.Background()); string(after) != string(before) {
		v.t.Errorf("the signer signed over a difference: %s", after)
	}
}

func TestALogThatIsPutRightIsSignedAgain(t *testing.T) {
	t.Parallel()
	v := newVictim(t)
	v.exec(`UPDATE entries SET actor = 'nobody' WHERE position = 3`)
	v.log.Checker.Pass(context.Background(), true)
	if v.log.Checker.Ready(context.Background()) == nil {
		t.Fatal("the difference was not found")
	}
	add(t, v.store, changes(t, 1)...) // appends go on
	if got := v.head().Size; got != entriesBefore {
		t.Errorf("head: got size %d, want the last good one, %d", got, entriesBefore)
	}
	v.exec(`UPDATE entries SET actor = user_id::text WHERE position = 3`)
	v.log.Checker.Pass(context.Background(), true)
	if err := v.log.Checker.Ready(context.Background()); err != nil {
		t.Errorf("Ready: got %v after the repair", err)
	}
	if got := v.head().Size; got != entriesBefore+1 {
		t.Errorf("head: got size %d, want %d", got, entriesBefore+1)
	}
}

func TestWithoutTheSignerTheNewestCheckpointIsAnswered(t *testing.T) {
	t.Parallel()
	v := newVictim(t)
	v.log.Signer.Away(fmt.Errorf("the signer is away"))
	add(t, v.store, changes(t, 1)...)
	if got := v.head(); got != v.last {
		t.Errorf("head: got %+v, want %+v", got, v.last)
	}
	v.log.Signer.Away(nil)
	if got := v.head().Size; got != entriesBefore+1 {
		t.Errorf("head: got size %d, want %d", got, entriesBefore+1)
	}
}
