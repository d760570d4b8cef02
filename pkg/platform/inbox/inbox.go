// Package inbox makes an event take effect once: it records the event's id in the transaction of the effect.
//
// It promises, for the events of one consumer:
//   - The record and everything that fn writes through its transaction commit together or not at all. When a process
//     dies before the commit, the event is not handled, and its redelivery takes effect.
//   - When two deliveries of one event run at the same time, the later one waits for the transaction of the earlier one.
//     If that commits, the later one is a duplicate; if that rolls back, the later one does the work.
//   - What fn does outside the transaction can happen more than once, so it must be idempotent.
//
// Consumers of one database do not see each other's records. A duplicate is recognised until Prune deletes the record,
// so the time limit of Prune must be longer than the broker's retention.
package inbox

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations is the goose set "inbox".
var Migrations = func() fs.FS {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil { // the folder is embedded above
		panic(err)
	}
	return sub
}()

// pruneBatch rows are deleted in one statement: few enough that no other statement waits long, and that it ends far
// within the statement timeout.
const pruneBatch = 5000

// Inbox records the events that one consumer has handled. It is safe for concurrent use.
type Inbox struct {
	db       *gorm.DB
	consumer string
}

// New makes the inbox of one consumer.
func New(db *gorm.DB, consumer string) *Inbox { return &Inbox{db: db, consumer: consumer} }

// ErrBadEventID is wrapped when an event id is not a UUID. A redelivery fails in the same way.
var ErrBadEventID = errors.New("event id is not a UUID")

// Once runs fn in a transaction that also records the event. When the event was handled before, it returns nil without
// calling fn. An error of fn, or a panic, rolls everything back; the error is returned wrapped. After an error of the
// commit it is unknown whether the event was handled: its redelivery finds out.
func (i *Inbox) Once(ctx context.Context, eventID string, fn func(tx *gorm.DB) error) error {
	id, err := uuid.Parse(eventID)
	if err != nil {
		return fmt.Errorf("inbox of %s: %w: %q", i.consumer, ErrBadEventID, eventID)
	}
	err = i.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		first, err := i.record(tx, id)
		if err != nil || !first {
			return err
		}
		return fn(tx)
	})
	if errors.Is(err, sql.ErrTxDone) && ctx.Err() != nil {
		err = ctx.Err() // database/sql rolled back when ctx ended, so the commit reports only ErrTxDone
	}
	if err != nil {
		return fmt.Errorf("handle event %s once for %s: %w", eventID, i.consumer, err)
	}
	return nil
}

// record reports whether the event is new to this consumer.
func (i *Inbox) record(tx *gorm.DB, id uuid.UUID) (first bool, err error) {
	// Without gorm's statement building: this runs for every event.
	res, err := tx.Statement.ConnPool.ExecContext(tx.Statement.Context,
		"INSERT INTO inbox (consumer, event_id) VALUES ($1, $2) ON CONFLICT DO NOTHING", i.consumer, id)
	if err != nil {
		return false, fmt.Errorf("record the event: %w", err)
	}
	n, err := res.RowsAffected()
	return n == 1, err
}

// Prune deletes the records of this consumer's events that were received more than olderThan ago, and returns their
// number. It deletes in batches, each in its own transaction, so that it can be interrupted and blocks no other writer
// for long.
func (i *Inbox) Prune(ctx context.Context, olderThan time.Duration) (int64, error) {
	var total int64
	for {
		res := i.db.WithContext(ctx).Exec(`
			DELETE FROM inbox WHERE consumer = ? AND event_id IN (
				SELECT event_id FROM inbox
				WHERE consumer = ? AND received_at < now() - make_interval(secs => ?)
				ORDER BY received_at LIMIT ?)`,
			i.consumer, i.consumer, olderThan.Seconds(), pruneBatch)
		if res.Error != nil {
			return total, fmt.Errorf("prune inbox of %s: %w", i.consumer, res.Error)
		}
		total += res.RowsAffected
		if res.RowsAffected < pruneBatch {
			return total, nil
		}
	}
}
