// Package inbox gives an event its effect once: the event's id is recorded in the transaction of the effect.
//
// It promises, for the events of one consumer:
//   - The record and everything fn writes through its transaction commit together or not at all. A process that dies
//     anywhere before the commit leaves the event unhandled; its redelivery has the effect.
//   - Two deliveries of one event at the same time: the later one waits for the earlier one's transaction, and is a
//     duplicate when that commits, or does the work when that rolls back.
//   - What fn does outside the transaction can happen more than once, and must bear it.
//
// Consumers of one database do not see each other's records. An event can be recognised until Prune forgets it; that
// must be later than the broker's retention.
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

// pruneBatch rows go in one statement: few enough that it holds nothing up, and ends far below the statement timeout.
const pruneBatch = 5000

// Inbox remembers the events one consumer has handled. Safe for concurrent use.
type Inbox struct {
	db       *gorm.DB
	consumer string
}

// New makes the inbox of one consumer.
func New(db *gorm.DB, consumer string) *Inbox { return &Inbox{db: db, consumer: consumer} }

// ErrBadEventID is wrapped when an event id is not a UUID: no redelivery mends that.
var ErrBadEventID = errors.New("event id is not a UUID")

// Once runs fn in a transaction that also records the event. When the event was handled before, it returns nil without
// calling fn. An error of fn is returned as it is (wrapped) and rolls everything back, a panic too. An error of the
// commit is returned: then whether the event was handled shows at its redelivery.
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
		err = ctx.Err() // database/sql rolled it back for that, before the commit could say so itself
	}
	if err != nil {
		return fmt.Errorf("handle event %s once for %s: %w", eventID, i.consumer, err)
	}
	return nil
}

// record answers whether the event is new to this consumer.
func (i *Inbox) record(tx *gorm.DB, id uuid.UUID) (first bool, err error) {
	// Past gorm's statement building: this runs for every event.
	res, err := tx.Statement.ConnPool.ExecContext(tx.Statement.Context,
		"INSERT INTO inbox (consumer, event_id) VALUES ($1, $2) ON CONFLICT DO NOTHING", i.consumer, id)
	if err != nil {
		return false, fmt.Errorf("record the event: %w", err)
	}
	n, err := res.RowsAffected()
	return n == 1, err
}

// Prune forgets this consumer's events received longer ago than olderThan and returns how many. It works in batches,
// each on its own, so that it can be interrupted and holds nobody up.
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
