package postgres

// This file appends entries: one call of the database's function, which alone may write.

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"

	"github.com/taskwire/taskwire/services/audit/internal/domain"
)

// Store accesses the log in Postgres. It is safe for concurrent use.
type Store struct{ db *gorm.DB }

// New makes a store on the database audit, opened as the service's role.
func New(db *gorm.DB) *Store { return &Store{db: db} }

var (
	_ domain.Writer = (*Store)(nil)
	_ domain.Reader = (*Store)(nil)
)

// Append implements domain.Writer. It sets the positions of the entries that it adds. The database derives everything
// else from the leaves (migrations/00002_append.sql), so this process cannot store an entry that does not fit its leaf,
// nor a tree that does not fit its entries.
func (s *Store) Append(ctx context.Context, entries []*domain.Entry) (added int, err error) {
	// database/sql passes an array as one parameter, so that the statement has the same text for every batch size. gorm
	// would expand it.
	pool, err := s.db.DB()
	if err != nil {
		return 0, fmt.Errorf("append entries: %w", err)
	}
	leaves, byID := make([][]byte, len(entries)), make(map[string]*domain.Entry, len(entries))
	for i, e := range entries {
		leaves[i] = e.Leaf()
		if byID[e.EventID] == nil { // of two deliveries of an event, the first is added
			byID[e.EventID] = e
		}
	}
	// One statement is one transaction. Its commit has succeeded when the rows ended without an error.
	rows, err := pool.QueryContext(ctx, `SELECT position, event_id::text FROM append_entries($1::bytea[])`, leaves)
	if err != nil {
		return 0, fmt.Errorf("append entries: %w", unstorable(err))
	}
	defer func() { _ = rows.Close() }() // rows.Err returns the error
	for rows.Next() {
		var position int64
		var id string
		if err := rows.Scan(&position, &id); err != nil {
			return 0, fmt.Errorf("append entries: %w", err)
		}
		if e := byID[id]; e != nil {
			e.Position = position
		}
		added++
	}
	if err := rows.Err(); err != nil {
		return 0, fmt.Errorf("append entries: %w", unstorable(err))
	}
	return added, nil
}

// unstorable marks as ErrUnstorable what would fail every time: a data exception (SQLSTATE class 22), such as a NUL in a
// text, which JSON can contain and Postgres cannot, and an event that exceeds a limit (class 54), such as one that is
// nested too deeply.
func unstorable(err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && len(pg.Code) == 5 && (pg.Code[:2] == "22" || pg.Code[:2] == "54") {
		return fmt.Errorf("%w: %w", domain.ErrUnstorable, err)
	}
	return err
}
