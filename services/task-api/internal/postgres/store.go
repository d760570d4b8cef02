// Package postgres stores tasks, accounts and the change log in the service's own database. It contains SQL and rows.
// The packages tasks and accounts make the decisions.
//
// Promises:
//
//   - A write begins with the UPDATE of the user's row in heads. The UPDATE takes the next change numbers, and it locks
//     the user until the transaction ends.
//   - Every read and write names the user.
//   - A read that combines several tables reads one snapshot.
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

// Migrations returns the files of the goose set "tasks". The set runs before the outbox's set, because it grants the
// runtime role its rights on the tables of the outbox.
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
	// syncBytes bounds the texts of a page of a sync.
	syncBytes int
	ended     chan struct{} // receives a signal when an account was deleted; buffers one
}

// New returns a store over a database handle that was opened as the runtime role.
func New(db *gorm.DB, box *outbox.Outbox, now func() time.Time) *Store {
	return &Store{db: db, outbox: box, now: now, bounds: usualBounds, syncBytes: usualSyncBytes, ended: make(chan struct{}, 1)}
}

// find returns one of the user's tasks, also a tombstone.
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
