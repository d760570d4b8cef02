// Package postgres keeps tasks, accounts and the change log in the service's own database. It holds SQL and rows; what
// they mean is decided in tasks and accounts.
//
// Promises:
//
//   - A write begins with the UPDATE of the user's row in heads, which takes the next change numbers and is the user's
//     lock until the transaction ends.
//   - Every read and write names the user.
//   - Reads that need several tables to fit together read one snapshot.
package postgres

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"time"

	"github.com/taskwire/taskwire/pkg/platform/outbox"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"gorm.io/gorm"
)

//go:embed migrations/*.sql
var files embed.FS

// Migrations is the goose set "tasks". It goes before the outbox, whose tables it grants to the runtime role.
func Migrations() fs.FS {
	sub, err := fs.Sub(files, "migrations")
	if err != nil {
		panic("postgres: the migrations are not embedded: " + err.Error())
	}
	return sub
}

// Store implements tasks.Store and accounts.Store. It is safe for concurrent use.
type Store struct {
	db     *gorm.DB
	outbox *outbox.Outbox
	now    func() time.Time
	bounds bounds
	ended  chan struct{} // signalled when an account was deleted
}

// New returns a store over a handle of the runtime role.
func New(db *gorm.DB, box *outbox.Outbox, now func() time.Time) *Store {
	return &Store{db: db, outbox: box, now: now, bounds: usualBounds, ended: make(chan struct{}, 1)}
}

// find reads one of the user's tasks, tombstones too.
func find(tx *gorm.DB, userID, taskID string) (domain.Task, error) {
	var rows []taskRow
	if err := tx.Select(taskColumns).Where("id = ? AND user_id = ?", taskID, userID).Limit(1).Find(&rows).Error; err != nil {
		return domain.Task{}, fmt.Errorf("read task %s: %w", taskID, err)
	}
	if len(rows) == 0 {
		return domain.Task{}, domain.ErrNotFound
	}
	return rows[0].task(), nil
}

// Get implements tasks.Reader.
func (s *Store) Get(ctx context.Context, userID, taskID string) (domain.Task, error) {
	task, err := find(s.db.WithContext(ctx), userID, taskID)
	if err == nil && task.DeletedAt != nil {
		return domain.Task{}, domain.ErrNotFound
	}
	return task, err
}
