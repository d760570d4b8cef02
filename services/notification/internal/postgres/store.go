package postgres

import (
	"context"
	"database/sql"
	"fmt"

	"gorm.io/gorm"

	"github.com/taskwire/taskwire/pkg/platform/outbox"
	"github.com/taskwire/taskwire/services/notification/internal/domain"
)

// Store is the database notifications. Safe for concurrent use.
type Store struct {
	db     *gorm.DB
	outbox *outbox.Outbox
}

// New makes a store on the database, opened as the service's role; events go into out.
func New(db *gorm.DB, out *outbox.Outbox) *Store { return &Store{db: db, outbox: out} }

var (
	_ domain.DueStore     = (*Store)(nil)
	_ domain.MailboxStore = (*Store)(nil)
	_ domain.KeptUsers    = (*Store)(nil)
)

// conn is database/sql below gorm, within tx's transaction where it has one: there an array is one parameter, so that
// a statement is the same text for every batch size, and gorm would expand it.
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
