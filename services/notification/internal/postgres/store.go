package postgres

import (
	"context"
	"database/sql"
	"fmt"

	"gorm.io/gorm"

	"github.com/taskwire/taskwire/pkg/platform/outbox"
	"github.com/taskwire/taskwire/services/notification/internal/domain"
)

// Store accesses the database notifications. It is safe for concurrent use.
type Store struct {
	db     *gorm.DB
	outbox *outbox.Outbox
}

// New makes a store on a database that was opened as the service's role. Events are added to out.
func New(db *gorm.DB, out *outbox.Outbox) *Store { return &Store{db: db, outbox: out} }

var (
	_ domain.DueStore     = (*Store)(nil)
	_ domain.MailboxStore = (*Store)(nil)
	_ domain.UserData     = (*Store)(nil)
	_ domain.ChangeLog    = (*Store)(nil)
)

// conn returns the database/sql connection of tx, within its transaction if it has one. database/sql passes an array as
// one parameter, so that a statement has the same text for every batch size; gorm would expand it.
func conn(tx *gorm.DB) gorm.ConnPool { return tx.Statement.ConnPool }

// collect reads all rows of a query.
func collect[T any](ctx context.Context, tx *gorm.DB, what string, scan func(*sql.Rows, *T) error, query string, args ...any) ([]T, error) {
	rows, err := conn(tx).QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		var t T
		if err := scan(rows, &t); err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
		out = append(out, t)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return out, nil
}
