package outbox

// This file decides what may happen to a parked event: it is listed, retried in order, or dropped.

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/taskwire/taskwire/pkg/platform/postgres"
)

// parkedTimeout bounds each statement. A person waits for it.
const parkedTimeout = 30 * time.Second

var (
	// ErrNoTables means that the database has no outbox, or none yet.
	ErrNoTables = errors.New("the database has no outbox tables: its service makes them when it starts")
	// ErrNotParked means that no parked event has the id. It may have been retried or dropped meanwhile.
	ErrNotParked = errors.New("no such parked event")
)

// EarlierParked means that the event cannot be retried yet: an earlier event of its task and topic is parked too.
type EarlierParked struct{ ID, Earlier int64 }

func (e *EarlierParked) Error() string {
	return fmt.Sprintf("event %d of the same task and topic was made before event %d and is parked too: retry or drop it first, or retry all", e.Earlier, e.ID)
}

// Parked is an event that the broker refused.
type Parked struct {
	Message
	ID        int64 // its id in the outbox; a new one each time the event is parked
	CreatedAt time.Time
	ParkedAt  time.Time
	Reason    string
}

// Backlog counts the events of an outbox.
type Backlog struct {
	Waiting, Parked int64
	OldestAge       time.Duration // of the waiting events; 0 when there are none
}

// ParkedStore reads and changes the parked events, for a person who decides about them. It connects as the owner's role
// or the runtime role. It is not safe for concurrent use; any number of ParkedStores and relays may use one database at
// the same time.
type ParkedStore struct{ conn *pgx.Conn }

// OpenParkedStore connects to a service's database. It returns ErrNoTables when that has no outbox.
func OpenParkedStore(ctx context.Context, url string) (*ParkedStore, error) {
	cfg, err := postgres.ConnConfig(url, "taskwire-outbox")
	if err != nil {
		return nil, err
	}
	cfg.RuntimeParams["statement_timeout"] = fmt.Sprint(parkedTimeout.Milliseconds())
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	var there bool
	err = conn.QueryRow(ctx, `SELECT to_regclass('outbox') IS NOT NULL AND to_regclass('outbox_parked') IS NOT NULL`).Scan(&there)
	if err == nil && !there {
		err = ErrNoTables
	}
	if err != nil {
		_ = conn.Close(ctx)
		return nil, err
	}
	return &ParkedStore{conn}, nil
}

// Close ends the connection.
func (p *ParkedStore) Close(ctx context.Context) { _ = p.conn.Close(ctx) }

// Backlog counts the waiting and the parked events.
func (p *ParkedStore) Backlog(ctx context.Context) (b Backlog, err error) {
	var age float64
	err = p.conn.QueryRow(ctx, `
		SELECT count(*), (SELECT count(*) FROM outbox_parked),
			COALESCE(EXTRACT(epoch FROM clock_timestamp() - min(created_at)), 0)::float8
		FROM outbox`).Scan(&b.Waiting, &b.Parked, &age)
	b.OldestAge = time.Duration(max(age, 0) * float64(time.Second))
	if err != nil {
		return b, fmt.Errorf("count the outbox: %w", err)
	}
	return b, nil
}

const parkedColumns = `id, topic, key, event_id::text, type, subject, trace_parent, data, created_at, parked_at, reason`

// List returns up to limit parked events with an id above after, in the order in which they were made.
func (p *ParkedStore) List(ctx context.Context, after int64, limit int) ([]Parked, error) {
	rows, err := p.conn.Query(ctx, `SELECT `+parkedColumns+` FROM outbox_parked WHERE id > $1 ORDER BY id LIMIT $2`, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list parked events: %w", err)
	}
	return collectParked(rows)
}

// Find returns the parked event with this id or event_id, or ErrNotParked.
func (p *ParkedStore) Find(ctx context.Context, id string) (Parked, error) {
	rows, err := p.conn.Query(ctx, `SELECT `+parkedColumns+` FROM outbox_parked WHERE id::text = $1 OR event_id::text = $1`, strings.ToLower(id))
	if err != nil {
		return Parked{}, fmt.Errorf("find parked event: %w", err)
	}
	found, err := collectParked(rows)
	switch {
	case err != nil:
		return Parked{}, err
	case len(found) == 0:
		return Parked{}, ErrNotParked
	}
	return found[0], nil
}

func collectParked(rows pgx.Rows) ([]Parked, error) {
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (p Parked, err error) {
		err = row.Scan(&p.ID, &p.Topic, &p.Key, &p.EventID, &p.Type, &p.Subject, &p.TraceParent, &p.Data, &p.CreatedAt, &p.ParkedAt, &p.Reason)
		return p, err
	})
}

// Retry moves one parked event back behind all waiting events, with the same event_id. A relay publishes it again. Later
// events of its task may have been published by then. So consumers see it late, and those that check the task's version
// skip it. It never overtakes an earlier event of its task and topic: while one is parked, Retry returns an
// *EarlierParked.
func (p *ParkedStore) Retry(ctx context.Context, id int64) error {
	return pgx.BeginFunc(ctx, p.conn, func(tx pgx.Tx) error {
		var earlier *int64
		err := tx.QueryRow(ctx, `
			SELECT (SELECT min(e.id) FROM outbox_parked e WHERE e.id < p.id AND e.topic = p.topic AND e.key = p.key AND e.subject = p.subject)
			FROM outbox_parked p WHERE p.id = $1`, id).Scan(&earlier)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return ErrNotParked
		case err != nil:
			return fmt.Errorf("look for earlier events: %w", err)
		case earlier != nil:
			return &EarlierParked{ID: id, Earlier: *earlier}
		}
		n, err := putBack(ctx, tx, `id = $1`, id)
		if err == nil && n == 0 {
			return ErrNotParked // another ParkedStore was faster
		}
		return err
	})
}

// retryRows bounds the events that RetryAll holds in memory and moves in one transaction.
const retryRows = 500

// RetryAll moves all events that are parked now back, in the order in which they were made, and returns their number. An
// event that is refused again meanwhile is not moved a second time.
func (p *ParkedStore) RetryAll(ctx context.Context) (moved int, err error) {
	var newest *int64
	if err := p.conn.QueryRow(ctx, `SELECT max(id) FROM outbox_parked`).Scan(&newest); err != nil {
		return 0, fmt.Errorf("look for parked events: %w", err)
	}
	for newest != nil {
		n := 0
		err := pgx.BeginFunc(ctx, p.conn, func(tx pgx.Tx) (err error) {
			n, err = putBack(ctx, tx, `id IN (SELECT id FROM outbox_parked WHERE id <= $1 ORDER BY id LIMIT $2)`, *newest, retryRows)
			return err
		})
		if err != nil || n == 0 {
			return moved, err
		}
		moved += n
	}
	return 0, nil
}

// putBack moves parked events into the outbox, so that each is in exactly one of the two tables.
func putBack(ctx context.Context, tx pgx.Tx, which string, args ...any) (int, error) {
	rows, err := tx.Query(ctx, `WITH gone AS (DELETE FROM outbox_parked WHERE `+which+` RETURNING *) SELECT `+parkedColumns+` FROM gone ORDER BY id`, args...)
	if err != nil {
		return 0, fmt.Errorf("take parked events: %w", err)
	}
	parked, err := collectParked(rows)
	if err != nil {
		return 0, fmt.Errorf("take parked events: %w", err)
	}
	c := newColumns(len(parked))
	for i, event := range parked {
		c.set(i, event.Message)
	}
	if _, err := tx.Exec(ctx, insertRows, c.args()...); err != nil {
		return 0, fmt.Errorf("put back %d parked events: %w", len(parked), err)
	}
	return len(parked), nil
}

// Drop deletes a parked event for ever and returns it.
func (p *ParkedStore) Drop(ctx context.Context, id int64) (Parked, error) {
	rows, err := p.conn.Query(ctx, `DELETE FROM outbox_parked WHERE id = $1 RETURNING `+parkedColumns, id)
	if err != nil {
		return Parked{}, fmt.Errorf("drop parked event: %w", err)
	}
	gone, err := collectParked(rows)
	switch {
	case err != nil:
		return Parked{}, fmt.Errorf("drop parked event: %w", err)
	case len(gone) == 0:
		return Parked{}, ErrNotParked
	}
	return gone[0], nil
}
