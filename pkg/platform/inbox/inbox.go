// Package inbox gives an event its effect once: the event's id is recorded in the transaction of the effect.
//
// It promises that for one consumer and event id at most one call of Once commits its effect. Of two that run at the
// same time the second waits for the first: it does nothing when the first commits, and does the work when the first
// rolls back. Where a process dies before the commit, neither record nor effect exists and the redelivery does the
// work; after it, the redelivery finds the record.
//
// Ids are remembered until Prune forgets them, which must be later than the bus can still redeliver.
//
// Migrations is the goose set "inbox". It grants nothing: run it after the set that gives the runtime role its
// default privileges.
package inbox

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"time"

	"gorm.io/gorm"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations is the goose set "inbox".
var Migrations = func() fs.FS {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	return sub
}()

// pruneBatch bounds one DELETE, so that pruning a long backlog never holds many locks or makes one huge transaction.
const pruneBatch = 5000

// Inbox remembers the events one consumer has handled. It is safe for concurrent use.
type Inbox struct {
	db       *gorm.DB
	consumer string
}

// New makes the inbox of one consumer.
func New(db *gorm.DB, consumer string) *Inbox { return &Inbox{db: db, consumer: consumer} }

// Once runs fn in a transaction unless the event was handled before: then it returns nil without calling fn. eventID
// is a UUID. An error of fn, or of the commit, leaves neither record nor effect; where the connection is lost during
// the commit, the redelivery finds out which it was.
func (i *Inbox) Once(ctx context.Context, eventID string, fn func(tx *gorm.DB) error) error {
	return i.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		// The insert waits for another transaction that has the same key and is not decided yet.
		res, err := tx.Statement.ConnPool.ExecContext(ctx,
			`INSERT INTO inbox (consumer, event_id) VALUES ($1, $2) ON CONFLICT DO NOTHING`, i.consumer, eventID)
		if err != nil {
			return fmt.Errorf("record event %s: %w", eventID, err)
		}
		n, err := res.RowsAffected()
		if err != nil {
			return fmt.Errorf("record event %s: %w", eventID, err)
		}
		if n == 0 {
			return nil
		}
		return fn(tx)
	})
}

// Prune forgets events received longer ago than olderThan, in batches, and returns how many.
func (i *Inbox) Prune(ctx context.Context, olderThan time.Duration) (int64, error) {
	before := time.Now().Add(-olderThan)
	var total int64
	for {
		res, err := i.db.Statement.ConnPool.ExecContext(ctx, `
			DELETE FROM inbox WHERE ctid = ANY (ARRAY(
				SELECT ctid FROM inbox WHERE received_at < $1 AND consumer = $2 LIMIT $3))`, before, i.consumer, pruneBatch)
		if err != nil {
			return total, fmt.Errorf("prune the inbox: %w", err)
		}
		n, err := res.RowsAffected()
		if err != nil {
			return total, fmt.Errorf("prune the inbox: %w", err)
		}
		if total += n; n < pruneBatch {
			return total, nil
		}
	}
}
