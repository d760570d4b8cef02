package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"gorm.io/gorm"

	"github.com/taskwire/taskwire/pkg/platform/outbox"
	"github.com/taskwire/taskwire/pkg/platform/postgres"
)

const insertAccount = "INSERT INTO account (key, seq) VALUES ($1, $2)"

func (w *world) accounts() int { w.t.Helper(); return w.count("SELECT count(*) FROM account") }

func TestFirstAndDeferredStatementsCommitWithTheEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var one, two int
	into := func(n *int) func(pgx.Rows) error {
		return func(r pgx.Rows) (err error) { *n, err = pgx.CollectExactlyOneRow(r, pgx.RowTo[int]); return err }
	}
	first := []outbox.First{
		{SQL: "INSERT INTO account (key, seq) VALUES ('bob', $1) RETURNING seq", Args: []any{5}, Read: into(&one)},
		{SQL: "SELECT seq + 2 FROM account WHERE key = $1", Args: []any{"bob"}, Read: into(&two)}, // sees what the one before it did
	}
	err := w.box.InTxFirst(t.Context(), first, func(tx *outbox.Tx) error {
		tx.Add(event("tasks", "ann", "task", 1))
		tx.Defer(insertAccount, "ann", two)
		tx.Defer("UPDATE account SET seq = seq + 1 WHERE key = $1", "ann")
		return nil
	})
	if got := w.count("SELECT seq FROM account WHERE key = 'ann'"); err != nil || got != 8 || w.waiting() != 1 {
		t.Errorf("InTxFirst = %v, seq %d, %d events; want 8 and one event", err, got, w.waiting())
	}
}

func TestAFailedDeferredStatementLeavesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.admin(insertAccount, "ann", 1)
	for name, last := range map[string][]string{"the first": {"ann", "bob"}, "the second": {"bob", "ann"}} {
		err := w.box.InTx(t.Context(), func(tx *outbox.Tx) error {
			tx.Add(event("tasks", "ann", "task", 1))
			for _, key := range last {
				tx.Defer(insertAccount, key, 1)
			}
			return nil
		})
		if !postgres.IsUniqueViolation(err, "account_pkey") || w.accounts() != 1 || w.waiting() != 0 {
			t.Errorf("%s fails: InTx = %v, %d accounts, %d events; want the violation, 1, 0", name, err, w.accounts(), w.waiting())
		}
	}
	w.add(event("tasks", "ann", "task", 1)) // the connections can be used again
}

func TestAFailedFirstStatementIsReturned(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	never := func(*outbox.Tx) error { t.Error("the function was called"); return nil }
	read := func(r pgx.Rows) error { _, err := pgx.CollectExactlyOneRow(r, pgx.RowTo[int]); return err }
	blind := func(pgx.Rows) error { return nil }
	if err := w.box.InTxFirst(t.Context(), []outbox.First{{SQL: "SELECT 1 WHERE false", Read: read}, {SQL: "SELECT 1", Read: read}}, never); !errors.Is(err, pgx.ErrNoRows) {
		t.Errorf("no row: got %v, want pgx.ErrNoRows", err)
	}
	if err := w.box.InTxFirst(t.Context(), []outbox.First{{SQL: "SELECT 1", Read: read}, {SQL: "SELECT 1/0", Read: read}}, never); err == nil {
		t.Error("a failure: got nil")
	}
	late := []outbox.First{{SQL: "SELECT 1/(3-n) FROM generate_series(1, 3) AS n", Read: blind}}
	if err := w.box.InTxFirst(t.Context(), late, never); err == nil {
		t.Error("a failure that Read does not see: got nil")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.box.InTxFirst(ctx, []outbox.First{{SQL: "SELECT 1", Read: read}}, never); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before: got %v", err)
	}
	for range 20 { // more than the pool has connections, so none was lost
		w.add(event("tasks", "ann", "task", 1))
	}
}

// TestAnErrorTheFunctionIgnoresPreventsTheCommit: Postgres answers such a COMMIT with ROLLBACK and without an error.
func TestAnErrorTheFunctionIgnoresPreventsTheCommit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	err := w.box.InTx(t.Context(), func(tx *outbox.Tx) error {
		if err := tx.Exec("SELECT 1/0").Error; err == nil {
			t.Error("no failure")
		}
		return nil
	})
	if err == nil {
		t.Error("InTx = nil, want an error")
	}
}

func TestANestedTransactionIsASavepoint(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	failed := errors.New("no")
	err := w.box.InTx(t.Context(), func(tx *outbox.Tx) error {
		for i, result := range []error{nil, failed, nil} {
			err := tx.Transaction(func(inner *gorm.DB) error {
				return errors.Join(inner.Exec("INSERT INTO account (key) VALUES (?)", fmt.Sprint("k", i)).Error, result)
			})
			if !errors.Is(err, result) {
				return err
			}
		}
		if err := tx.Commit().Error; err == nil {
			t.Error("the function could commit by itself")
		}
		tx.Add(event("tasks", "ann", "task", 1))
		return nil
	})
	if err != nil || w.accounts() != 2 || w.waiting() != 1 {
		t.Errorf("InTx = %v, %d accounts, %d events; want 2, 1", err, w.accounts(), w.waiting())
	}
}
