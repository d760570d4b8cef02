package outbox

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// floorInterval bounds how many deleted rows a fetch walks over: those of about two intervals.
const floorInterval = 200 * time.Millisecond

// floors are, for each bucket, an id up to which there is no row and never will be. Reads begin above it. Without them
// each read walks over every row that was deleted and that vacuum cannot remove yet, which a single old snapshot
// anywhere in the database makes hundreds of thousands.
//
// A floor is no high-water mark: it does not pass a row that was numbered early and commits late. A transaction that
// inserts holds a lock on the table (RowExclusiveLock, which vacuum does not take) from before it takes a number until
// its end. So when the transactions that held
// one after the number S was read have all ended, everything up to S is decided: it is there for all to see, or never
// will be. Only then does a floor rise, up to S or to just below the bucket's first row.
type floors struct {
	at      [buckets]atomic.Int64
	restart atomic.Bool // set by whoever may have met another server; raise begins anew

	// The rest is raise's own.
	settled   int64           // all numbers up to it are decided
	raised    bool            // every floor is at settled
	candidate int64           // all up to it are, once none of writers is left
	writers   map[string]bool // transactions that may have a number up to candidate
}

// reset forgets everything: after a failover numbers may be given out again.
func (f *floors) reset() {
	f.settled, f.candidate, f.writers, f.raised = 0, 0, nil, false
	for b := range f.at {
		f.at[b].Store(0)
	}
}

// of lists the floors of the buckets.
func (f *floors) of(buckets []int16) []int64 {
	all := make([]int64, len(buckets))
	for i, b := range buckets {
		all[i] = f.at[b].Load()
	}
	return all
}

// observe takes in the last number given out and, read after it, the transactions that hold a lock.
func (f *floors) observe(last int64, writers map[string]bool) {
	if writers[prepared] {
		return
	}
	before, left := f.settled, false
	for w := range f.writers {
		left = left || writers[w]
	}
	if !left {
		f.settled, f.candidate, f.writers = f.candidate, last, writers
	}
	if len(writers) == 0 {
		f.settled, f.candidate, f.writers = last, last, nil
	}
	f.raised = f.raised && f.settled == before
}

// keepFloors raises the floors until ctx ends. Where it cannot, they stay, which costs time and nothing else.
func (r *Relay) keepFloors(ctx context.Context) {
	for ctx.Err() == nil {
		call, cancel := context.WithTimeout(ctx, storeTimeout)
		err := r.store.raise(call)
		cancel()
		if err != nil && ctx.Err() == nil {
			r.complain(ctx, err)
		}
		pause(ctx, floorInterval)
	}
}

// raise looks once. Its statements are transactions of their own: each sees what was committed before it began.
func (s *store) raise(ctx context.Context) error {
	f := &s.floors
	if f.restart.Swap(false) {
		f.reset()
	}
	var last int64
	if err := s.pool.QueryRow(ctx, `SELECT last_value - CASE WHEN is_called THEN 0 ELSE 1 END FROM outbox_id_seq`).Scan(&last); err != nil {
		return fmt.Errorf("read the outbox's last number: %w", err)
	}
	switch {
	case last < f.settled:
		f.reset() // somebody has set the sequence back
	case last > f.settled:
		writers, err := s.writers(ctx)
		if err != nil {
			return err
		}
		f.observe(last, writers)
	}
	if f.raised {
		return nil
	}
	return s.raiseTo(ctx, f.settled)
}

// prepared stands for the transactions of a two-phase commit: they change their name when they are prepared, so while
// there are any, nothing more is decided. Nothing of ours makes them.
const prepared = "prepared"

// writers lists the transactions that may have inserted and not ended.
func (s *store) writers(ctx context.Context) (map[string]bool, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT DISTINCT CASE WHEN pid IS NULL THEN $1 ELSE virtualtransaction END FROM pg_locks
		WHERE locktype = 'relation' AND relation = 'outbox'::regclass AND mode = 'RowExclusiveLock'
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`, prepared)
	if err != nil {
		return nil, fmt.Errorf("see who writes to the outbox: %w", err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("see who writes to the outbox: %w", err)
	}
	all := make(map[string]bool, len(names))
	for _, name := range names {
		all[name] = true
	}
	return all, nil
}

// raiseTo raises each bucket's floor to settled, or to just below its first row.
func (s *store) raiseTo(ctx context.Context, settled int64) error {
	every := listBuckets(^uint64(0))
	rows, err := s.pool.Query(ctx, `
		SELECT b, (SELECT id FROM outbox WHERE bucket = b AND id > f ORDER BY id LIMIT 1)
		FROM unnest($1::smallint[], $2::bigint[]) AS t (b, f)`, every, s.floors.of(every))
	if err != nil {
		return fmt.Errorf("find the outbox's first rows: %w", err)
	}
	var bucket int16
	var first *int64
	raised := true
	_, err = pgx.ForEachRow(rows, []any{&bucket, &first}, func() error {
		to := settled
		if first != nil && *first <= settled {
			to, raised = *first-1, false
		}
		s.floors.at[bucket].Store(to)
		return nil
	})
	if err != nil {
		return fmt.Errorf("find the outbox's first rows: %w", err)
	}
	s.floors.raised = raised
	return nil
}
