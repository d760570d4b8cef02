package outbox

import (
	"embed"
	"io/fs"
	"log/slog"
	"sync/atomic"

	"github.com/google/uuid"
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

// flushRows bounds one INSERT. A batch of 500 operations makes about 1,500 events. A statement of more than some
// megabytes is no faster for a row.
const flushRows = 1000

// Outbox writes events in the transaction of the change that they describe. It is safe for concurrent use.
type Outbox struct {
	db    *gorm.DB
	log   *slog.Logger
	wake  chan struct{}
	dirty atomic.Uint64 // mask of the buckets with commits that the relay of this process has not taken over yet
}

// New makes an outbox over the service's database.
func New(db *gorm.DB, log *slog.Logger) *Outbox {
	return &Outbox{db: db, log: log, wake: make(chan struct{}, 1)}
}

// insertRows assigns ids in the order of its arrays.
const insertRows = `
	INSERT INTO outbox (bucket, topic, key, event_id, type, subject, trace_parent, data)
	SELECT bucket, topic, key, event_id, type, subject, trace_parent, data
	FROM unnest($1::smallint[], $2::text[], $3::text[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::bytea[])
		WITH ORDINALITY AS m (bucket, topic, key, event_id, type, subject, trace_parent, data, n)
	ORDER BY n`

// columns hold messages by column, for unnest: the statement has the same text for any number of rows.
type columns struct {
	bucket                            []int16
	id                                [][16]byte
	topic, key, kind, subject, parent []string
	data                              [][]byte
}

func newColumns(n int) columns {
	text := make([]string, 5*n)
	cut := func(i int) []string { return text[i*n : (i+1)*n : (i+1)*n] }
	return columns{
		bucket: make([]int16, n), id: make([][16]byte, n), data: make([][]byte, n),
		topic: cut(0), key: cut(1), kind: cut(2), subject: cut(3), parent: cut(4),
	}
}

func (c columns) set(i int, m Message) (mask uint64) {
	c.bucket[i], c.id[i], c.data[i] = bucketOf(m.Key), uuid.MustParse(m.EventID), m.Data // check has validated the id
	c.topic[i], c.key[i], c.kind[i], c.subject[i], c.parent[i] = m.Topic, m.Key, m.Type, m.Subject, m.TraceParent
	return 1 << c.bucket[i]
}

// args returns the arguments of insertRows.
func (c columns) args() []any {
	return []any{c.bucket, c.topic, c.key, c.id, c.kind, c.subject, c.parent, c.data}
}

// signal wakes the relay of this process for the buckets of mask.
func (o *Outbox) signal(mask uint64) {
	if mask == 0 {
		return
	}
	o.dirty.Or(mask)
	select {
	case o.wake <- struct{}{}:
	default: // a wake is pending already; its receiver will see the mask
	}
}

// Wake receives a value after commits that wrote events. Several commits may share one value.
func (o *Outbox) Wake() <-chan struct{} { return o.wake }
