package postgres

// This file runs the transaction of a write and translates the errors of the database. rows.go has the statements.

import (
	"context"
	"errors"
	"fmt"

	"github.com/taskwire/taskwire/pkg/platform/outbox"
	pg "github.com/taskwire/taskwire/pkg/platform/postgres"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/tasks"
)

// errUnchanged rolls back a transaction that has nothing to write. This package never returns it.
var errUnchanged = errors.New("nothing changed")

// Write implements tasks.Store in two round trips. The first sends the BEGIN with the statements of begin.go. The second
// sends all rows and events with the COMMIT.
func (s *Store) Write(ctx context.Context, asks []tasks.Ask, wait bool, decide func(tasks.Tx, []tasks.Answer) error) error {
	answers := make([]tasks.Answer, len(asks))
	err := s.outbox.InTxFirst(ctx, begin(asks, answers, wait), func(box *outbox.Tx) error {
		tx := &writeTx{Tx: box}
		if err := decide(tx, answers); err != nil {
			return err
		}
		if !tx.written {
			return errUnchanged
		}
		return nil
	})
	if errors.Is(err, errUnchanged) {
		return nil
	}
	return refusal(err)
}

// writeTx implements tasks.Tx.
type writeTx struct {
	*outbox.Tx
	written bool // the transaction has something to commit
}

// Save implements tasks.Tx.
func (tx *writeTx) Save(w tasks.Writes) {
	if len(w.Changes)+len(w.Keys) > 0 {
		tx.written = true
	}
	if !tx.written {
		return // the rollback returns the numbers
	}
	for user, unused := range w.Unused {
		tx.Defer(`UPDATE heads SET seq = seq - $2, live = live - $3 WHERE user_id = $1`, [16]byte(user), unused.Numbers, unused.Live)
	}
	for _, s := range changeStatements(w.Changes) {
		tx.Defer(s.sql, s.args...)
	}
	for _, s := range keyStatements(w.Keys) {
		tx.Defer(s.sql, s.args...)
	}
}

// Try implements tasks.Tx with a savepoint.
func (tx *writeTx) Try(ctx context.Context, changes []tasks.Change) error {
	conn := tx.Statement.ConnPool // without gorm, which expands arrays
	exec := func(sql string, args ...any) error {
		_, err := conn.ExecContext(ctx, sql, args...)
		return err
	}
	if err := exec("SAVEPOINT operation"); err != nil {
		return fmt.Errorf("set savepoint: %w", err)
	}
	for _, s := range changeStatements(changes) {
		err := exec(s.sql, s.args...)
		if err == nil {
			continue
		}
		err = refusal(fmt.Errorf("write operation: %w", err))
		if errors.Is(err, tasks.ErrRefused) {
			if back := exec("ROLLBACK TO SAVEPOINT operation"); back != nil {
				return fmt.Errorf("roll back operation: %w", back)
			}
		}
		return err
	}
	tx.written = true
	return exec("RELEASE SAVEPOINT operation")
}

// refusal wraps an error of the database in the error of package tasks that has the same meaning. It returns other errors
// unchanged.
func refusal(err error) error {
	switch {
	case pg.IsUniqueViolation(err, "idempotency_keys_pkey"):
		return fmt.Errorf("%w: %w", tasks.ErrKeyTaken, err)
	case pg.IsUniqueViolation(err, "tasks_pkey"):
		return fmt.Errorf("%w: %w: %w", tasks.ErrRefused, domain.ErrIDTaken, err)
	case pg.IsUniqueViolation(err, "tasks_occurrence"):
		return fmt.Errorf("%w: %w: %w", tasks.ErrRefused, domain.ErrOccurrenceTaken, err)
	case pg.IsRefused(err):
		return fmt.Errorf("%w: %w", tasks.ErrRefused, err)
	}
	return err
}

// statement is SQL with its arguments.
type statement struct {
	sql  string
	args []any
}
