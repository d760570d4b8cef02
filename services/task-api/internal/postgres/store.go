// Package postgres keeps tasks, accounts and the change log in the service's own database.
//
// Promises:
//
//   - A write commits the task, its row in the change log, its events in the outbox and, where the request has one,
//     its Idempotency-Key in one transaction. A write that returns an error other than "unavailable" had no effect; one
//     that could not be committed for sure may have had it, and repeating it with its key is safe.
//   - The writes of one user are one after the other: each begins with the UPDATE of the user's row in heads, which
//     takes the next seq. A transaction that is rolled back gives its seq back, so seq has no gaps, and whoever reads
//     seq N has every change before it.
//   - Every read and write names the user: another user's task is not there.
//   - Reads that need several tables to fit together are one statement, because that is one snapshot.
package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/taskwire/taskwire/pkg/platform/outbox"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/publish"
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

// ErrNoUser says that the account is gone.
var ErrNoUser = errors.New("no such user")

// Store is safe for concurrent use.
type Store struct {
	db     *gorm.DB
	outbox *outbox.Outbox
	events *publish.Publisher
	now    func() time.Time
	bounds bounds
	gather *gatherer
	ended  chan struct{} // signalled when an account was deleted, for RunDeletions
}

// New makes a store over a handle of the runtime role.
func New(db *gorm.DB, box *outbox.Outbox, events *publish.Publisher, now func() time.Time) *Store {
	s := &Store{db: db, outbox: box, events: events, now: now, bounds: usualBounds, ended: make(chan struct{}, 1)}
	s.gather = newGatherer(s.createGroup)
	return s
}

// head is a user's row in heads, with what a write needs to know of the user.
type head struct {
	Seq      int64
	Timezone string
}

// nextSeq takes the user's next change number and with it the user's lock, until the transaction ends.
func nextSeq(tx *gorm.DB, userID string) (h head, err error) {
	const take = `UPDATE heads h SET seq = h.seq + 1 FROM users u WHERE h.user_id = $1 AND u.id = h.user_id RETURNING h.seq, u.timezone`
	err = tx.Statement.ConnPool.QueryRowContext(tx.Statement.Context, take, userID).Scan(&h.Seq, &h.Timezone)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return head{}, ErrNoUser
	case err != nil:
		return head{}, fmt.Errorf("lock user %s: %w", userID, err)
	}
	return h, nil
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

// Get returns a task that is not deleted, or domain.ErrNotFound.
func (s *Store) Get(ctx context.Context, userID, taskID string) (domain.Task, error) {
	task, err := find(s.db.WithContext(ctx), userID, taskID)
	if err == nil && task.DeletedAt != nil {
		return domain.Task{}, domain.ErrNotFound
	}
	return task, err
}
