package postgres_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/taskwire/taskwire/services/audit/internal/domain"
	"github.com/taskwire/taskwire/services/audit/internal/postgres"
)

// The runbook says what the owner of the database allows when one goes back to v0.1.0, which inserts by itself, and what the
// owner takes back afterwards.
func TestTheOldVersionInsertsAfterWhatTheRunbookSays(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	runbook, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "docs", "runbook.md"))
	if err != nil {
		t.Fatal(err)
	}
	owner, err := pgx.Connect(t.Context(), db.OwnerURL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = owner.Close(t.Context()) }()
	follow := func(statement string) {
		t.Helper()
		found := regexp.MustCompile("`("+statement+" INSERT [^`]+)`").FindAllSubmatch(runbook, -1)
		if len(found) != 1 {
			t.Fatalf("docs/runbook.md has %d statements %s INSERT, want 1", len(found), statement)
		}
		if _, err := owner.Exec(t.Context(), string(found[0][1])); err != nil {
			t.Fatalf("%s: %v", found[0][1], err)
		}
	}
	add(t, s, changes(t, 3)...)
	if err := insert(t, s, db.AppURL, change(t, uuid.NewString(), uuid.NewString(), 1, 1), 3); err == nil {
		t.Error("an insert before the grant: got nil, want an error")
	}
	follow("GRANT")
	for position := range int64(4) {
		if err := insert(t, s, db.AppURL, change(t, uuid.NewString(), uuid.NewString(), 1, 1), 3+position); err != nil {
			t.Fatalf("an insert after the grant: %v", err)
		}
	}
	follow("REVOKE")
	if err := insert(t, s, db.AppURL, change(t, uuid.NewString(), uuid.NewString(), 1, 1), 7); err == nil {
		t.Error("an insert after the revocation: got nil, want an error")
	}
	add(t, s, changes(t, 2)...)
	checkTree(t, s, 9)
}

// insert inserts an entry and its hashes as v0.1.0 does, with the service's role.
func insert(t *testing.T, s *postgres.Store, url string, e *domain.Entry, position int64) error {
	t.Helper()
	stored := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) { return s.ReadHashes(t.Context(), indexes) })
	hashes, err := tlog.StoredHashes(position, e.Leaf(), stored)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	return pgx.BeginFunc(t.Context(), conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), `
			INSERT INTO entries (position, event_id, user_id, task_id, event_type, task_version, seq, occurred_at, recorded_at, actor, event, leaf, leaf_hash)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
			position, e.EventID, e.UserID, e.TaskID, e.EventType, e.TaskVersion, e.Seq, e.OccurredAt, e.RecordedAt, e.Actor, string(e.Event), e.Leaf(), e.LeafHash[:]); err != nil {
			return err
		}
		for i, hash := range hashes {
			if _, err := tx.Exec(t.Context(), `INSERT INTO hashes (index, hash) VALUES ($1, $2)`, tlog.StoredHashCount(position)+int64(i), hash[:]); err != nil {
				return err
			}
		}
		return nil
	})
}
