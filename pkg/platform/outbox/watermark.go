package outbox

// This file decides how far a read of a bucket may skip deleted rows (ADR 0013).

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// watermarkInterval bounds how many deleted rows a fetch walks over: those of about two intervals.
const watermarkInterval = 200 * time.Millisecond

// watermarks holds the low watermark of each bucket: an id up to which the bucket has no row and never will have one.
// Reads begin above it. Without it a read walks over every deleted row that vacuum cannot remove yet; one old snapshot
// anywhere in the database makes these hundreds of thousands.
//
// A low watermark never passes a row that was numbered early and commits late, as a high-water mark of published ids
// would. A transaction that inserts holds a lock on the table (RowExclusiveLock, which vacuum does not take) from before
// it takes an id until its end. When every transaction has ended that held such a lock after id S was read from the
// sequence, each id up to S is decided: its row is visible, or there will never be one. Only then does a watermark
// advance, to S or to just below the bucket's first row.
type watermarks struct {
	at      [buckets]atomic.Int64
	restart atomic.Bool // set when the next session may be on another server; advance then resets

	// Only advance uses the fields below.
	decided   int64           // all ids up to it are decided
	caughtUp  bool            // every watermark is at decided
	candidate int64           // all ids up to it are decided once every transaction of writers has ended
	writers   map[string]bool // transactions that may have taken an id up to candidate
}

// reset forgets everything: after a failover ids may be assigned a second time.
func (m *watermarks) reset() {
	m.decided, m.candidate, m.writers, m.caughtUp = 0, 0, nil, false
	for b := range m.at {
		m.at[b].Store(0)
	}
}

// of returns the watermarks of the buckets.
func (m *watermarks) of(buckets []int16) []int64 {
	all := make([]int64, len(buckets))
	for i, b := range buckets {
		all[i] = m.at[b].Load()
	}
	return all
}

// observe takes the last assigned id and the transactions that hold a lock, which must have been read after the id.
func (m *watermarks) observe(last int64, writers map[string]bool) {
	if writers[prepared] {
		return
	}
	before, running := m.decided, false
	for w := range m.writers {
		running = running || writers[w]
	}
	if !running {
		m.decided, m.candidate, m.writers = m.candidate, last, writers
	}
	if len(writers) == 0 {
		m.decided, m.candidate, m.writers = last, last, nil
	}
	m.caughtUp = m.caughtUp && m.decided == before
}

// keepWatermarks advances the watermarks until ctx ends. While it cannot, they stay, which only makes reads slower.
func (r *Relay) keepWatermarks(ctx context.Context) {
	for ctx.Err() == nil {
		call, cancel := context.WithTimeout(ctx, storeTimeout)
		err := r.store.advance(call)
		cancel()
		if err != nil && ctx.Err() == nil {
			r.warn(ctx, err)
		}
		sleep(ctx, watermarkInterval)
	}
}

// advance makes one observation and moves the watermarks. Each of its statements is a transaction of its own, so each
// sees what was committed before it began.
func (s *store) advance(ctx context.Context) error {
	m := &s.watermarks
	if m.restart.Swap(false) {
		m.reset()
	}
	var last int64
	if err := s.pool.QueryRow(ctx, `SELECT last_value - CASE WHEN is_called THEN 0 ELSE 1 END FROM outbox_id_seq`).Scan(&last); err != nil {
		return fmt.Errorf("read the outbox's last id: %w", err)
	}
	switch {
	case last < m.decided:
		m.reset() // the sequence was set back
	case last > m.decided:
		writers, err := s.writers(ctx)
		if err != nil {
			return err
		}
		m.observe(last, writers)
	}
	if m.caughtUp {
		return nil
	}
	return s.advanceTo(ctx, m.decided)
}

// prepared stands for all prepared transactions of two-phase commits. Such a transaction changes its name when it is
// prepared, so while there is one, nothing more is decided. This project makes none.
const prepared = "prepared"

// writers lists the transactions that may have inserted and have not ended.
func (s *store) writers(ctx context.Context) (map[string]bool, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT DISTINCT CASE WHEN pid IS NULL THEN $1 ELSE virtualtransaction END FROM pg_locks
		WHERE locktype = 'relation' AND relation = 'outbox'::regclass AND mode = 'RowExclusiveLock'
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`, prepared)
	if err != nil {
		return nil, fmt.Errorf("list the transactions that write to the outbox: %w", err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("list the transactions that write to the outbox: %w", err)
	}
	all := make(map[string]bool, len(names))
	for _, name := range names {
		all[name] = true
	}
	return all, nil
}

// advanceTo moves each bucket's watermark to decided, or to just below the bucket's first row.
func (s *store) advanceTo(ctx context.Context, decided int64) error {
	every := listBuckets(^uint64(0))
	rows, err := s.pool.Query(ctx, `
		SELECT b, (SELECT id FROM outbox WHERE bucket = b AND id > w ORDER BY id LIMIT 1)
		FROM unnest($1::smallint[], $2::bigint[]) AS t (b, w)`, every, s.watermarks.of(every))
	if err != nil {
		return fmt.Errorf("find the outbox's first rows: %w", err)
	}
	var bucket int16
	var first *int64
	caughtUp := true
	_, err = pgx.ForEachRow(rows, []any{&bucket, &first}, func() error {
		to := decided
		if first != nil && *first <= decided {
			to, caughtUp = *first-1, false
		}
		s.watermarks.at[bucket].Store(to)
		return nil
	})
	if err != nil {
		return fmt.Errorf("find the outbox's first rows: %w", err)
	}
	s.watermarks.caughtUp = caughtUp
	return nil
}
