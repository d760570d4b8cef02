package outbox

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"log/slog"
	"sync/atomic"

	"gorm.io/gorm"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations is the goose set "outbox".
var Migrations = func() fs.FS {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	return sub
}()

// flushRows bounds one INSERT. A batch of 500 operations makes about 1,500 events; some megabytes a statement is where
// a larger one gains nothing.
const flushRows = 1000

// Outbox writes events in the transaction of the change they tell of. It is safe for concurrent use.
type Outbox struct {
	db    *gorm.DB
	log   *slog.Logger
	wake  chan struct{}
	dirty atomic.Uint64 // buckets with commits that no relay of this process has looked at yet
}

// New makes an outbox over the service's database.
func New(db *gorm.DB, log *slog.Logger) *Outbox {
	return &Outbox{db: db, log: log, wake: make(chan struct{}, 1)}
}

// Tx is a transaction that can add events. It is not safe for concurrent use.
type Tx struct {
	*gorm.DB
	msgs []Message
}

// Add buffers an event. The buffer is written in one statement at the end of the transaction, in the order of the
// calls; a message that lacks a field fails the transaction then.
func (tx *Tx) Add(m Message) { tx.msgs = append(tx.msgs, m) }

// InTx runs fn in a transaction, writes the events it added, commits, and wakes the relay. An error of fn, of the
// write or of the commit is returned and nothing is committed; but where the connection is lost during the commit,
// nobody knows: the caller must not answer with success, and a repetition must be harmless. A panic of fn rolls back
// and goes on.
func (o *Outbox) InTx(ctx context.Context, fn func(tx *Tx) error) error {
	begun := o.db.WithContext(ctx).Begin()
	if begun.Error != nil {
		return fmt.Errorf("begin: %w", begun.Error)
	}
	tx := &Tx{DB: begun}
	committed := false
	defer func() {
		if !committed {
			tx.Rollback() // its error would only repeat the one that is returned
		}
	}()
	if err := fn(tx); err != nil {
		return err
	}
	mask, err := tx.flush(ctx)
	if err != nil {
		return err
	}
	if err := tx.Commit().Error; err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	committed = true
	o.signal(mask)
	return nil
}

const insertRows = `
	INSERT INTO outbox (bucket, topic, key, event_id, type, subject, data, trace_parent)
	SELECT bucket, topic, key, event_id, type, subject, data, trace_parent
	FROM unnest($1::smallint[], $2::text[], $3::text[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[])
		WITH ORDINALITY AS m (bucket, topic, key, event_id, type, subject, data, trace_parent, ord)
	ORDER BY ord`

// flush writes the buffered events and returns the mask of their buckets.
func (tx *Tx) flush(ctx context.Context) (mask uint64, err error) {
	for start := 0; start < len(tx.msgs); start += flushRows {
		chunk := tx.msgs[start:min(start+flushRows, len(tx.msgs))]
		bucket := make([]int16, len(chunk))
		cols := make([][]string, 7)
		for i := range cols {
			cols[i] = make([]string, len(chunk))
		}
		for i, m := range chunk {
			if err := m.check(); err != nil {
				return 0, err
			}
			b := bucketOf(m.Key)
			bucket[i], mask = int16(b), mask|1<<b
			for c, v := range []string{m.Topic, m.Key, m.EventID, m.Type, m.Subject, string(m.Data), m.TraceParent} {
				cols[c][i] = v
			}
		}
		_, err := tx.Statement.ConnPool.ExecContext(ctx, insertRows, bucket, cols[0], cols[1], cols[2], cols[3], cols[4], cols[5], cols[6])
		if err != nil {
			return 0, fmt.Errorf("write %d events to the outbox: %w", len(chunk), err)
		}
	}
	return mask, nil
}

func (o *Outbox) signal(mask uint64) {
	if mask == 0 {
		return
	}
	o.dirty.Or(mask)
	select {
	case o.wake <- struct{}{}:
	default: // a wake is pending already, and will see the mask
	}
}

// take returns those of the given buckets that have unseen commits, and forgets them.
func (o *Outbox) take(of uint64) uint64 { return o.dirty.And(^of) & of }

// Wake is signalled after commits that wrote events; several may share one signal.
func (o *Outbox) Wake() <-chan struct{} { return o.wake }
