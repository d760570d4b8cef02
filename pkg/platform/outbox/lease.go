package outbox

// This file decides which buckets this relay holds.

import (
	"context"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/taskwire/taskwire/pkg/platform/postgres"
)

const (
	// lockClass is the first half of every advisory lock key of this package ("twob"). The second half is the bucket.
	lockClass = 0x74776f62
	// presenceLock is held, shared, by every live relay: the number of its holders is the number of relays.
	presenceLock = buckets
	// leaseTimeout bounds each statement on the lease session. A session that is slower counts as lost.
	leaseTimeout = 3 * time.Second
)

// leases are the buckets that one relay holds: session advisory locks on a connection of its own. They end with the
// session. A process that dies gives its buckets back at once; when its host vanishes, the server's keepalive ends the
// session after about 20 s. They need a session, so they do not work through a pooler that shares one between clients.
type leases struct {
	conn *pgx.Conn
	held uint64
}

func openLeases(ctx context.Context, url, name string) (*leases, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*leaseTimeout)
	defer cancel()
	cfg, err := postgres.ConnConfig(url, name)
	if err != nil {
		return nil, err
	}
	for param, value := range map[string]string{
		"tcp_keepalives_idle": "5", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3",
		"statement_timeout": fmt.Sprint(leaseTimeout.Milliseconds()),
	} {
		cfg.RuntimeParams[param] = value
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock_shared($1, $2)`, lockClass, presenceLock); err != nil {
		_ = conn.Close(ctx)
		return nil, fmt.Errorf("announce the relay: %w", err)
	}
	return &leases{conn: conn}, nil
}

// membership is the state of all relays' locks.
type membership struct {
	relays int
	taken  uint64 // buckets that any relay holds
}

func (l *leases) membership(ctx context.Context) (m membership, err error) {
	rows, err := l.conn.Query(ctx, `
		SELECT objid::int, count(*)::int FROM pg_locks
		WHERE locktype = 'advisory' AND classid = $1::bigint::oid AND objsubid = 2 AND granted
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
		GROUP BY objid`, int64(lockClass))
	if err != nil {
		return m, fmt.Errorf("list the relays and their buckets: %w", err)
	}
	var id, holders int
	_, err = pgx.ForEachRow(rows, []any{&id, &holders}, func() error {
		switch {
		case id == presenceLock:
			m.relays = holders
		case id < buckets:
			m.taken |= 1 << id
		}
		return nil
	})
	if err != nil {
		return m, fmt.Errorf("list the relays and their buckets: %w", err)
	}
	m.relays = max(m.relays, 1)
	return m, nil
}

// share returns one relay's number of buckets, rounded up so that every bucket has a relay.
func share(relays int) int { return (buckets + relays - 1) / relays }

// balance acquires free buckets up to this relay's share, or releases those above it. quiesce gets the buckets to
// release and returns the ones with nothing in flight; the others are released in a later call. usable are the buckets
// to work on. stable is false while buckets move. After an error the session, and with it every lease, is lost.
func (l *leases) balance(ctx context.Context, quiesce func(mask uint64) uint64) (usable uint64, stable bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, leaseTimeout)
	defer cancel()
	m, err := l.membership(ctx)
	if err != nil {
		return 0, false, err
	}
	excess := bits.OnesCount64(l.held) - share(m.relays)
	switch {
	case excess > 0:
		part := highest(l.held, excess)
		err := l.release(ctx, quiesce(part))
		return l.held &^ part, false, err
	case excess < 0:
		free := shuffled(^m.taken)
		if len(free) == 0 { // the others will release some, or the number of relays does not divide that of the buckets
			return l.held, true, nil
		}
		err := l.acquire(ctx, free[:min(len(free), -excess)])
		return l.held, false, err
	}
	return l.held, true, nil
}

func (l *leases) release(ctx context.Context, mask uint64) error {
	if mask == 0 {
		return nil
	}
	l.held &^= mask
	_, err := l.conn.Exec(ctx, `SELECT pg_advisory_unlock($1, b) FROM unnest($2::int[]) AS b`, lockClass, listBuckets(mask))
	if err != nil {
		return fmt.Errorf("release buckets: %w", err)
	}
	return nil
}

func (l *leases) acquire(ctx context.Context, wanted []int32) error {
	rows, err := l.conn.Query(ctx, `SELECT b FROM unnest($2::int[]) AS b WHERE pg_try_advisory_lock($1, b)`, lockClass, wanted)
	if err != nil {
		return fmt.Errorf("acquire buckets: %w", err)
	}
	acquired, err := pgx.CollectRows(rows, pgx.RowTo[int32])
	if err != nil {
		return fmt.Errorf("acquire buckets: %w", err)
	}
	for _, b := range acquired {
		l.held |= 1 << b
	}
	return nil
}

// highest returns the n highest buckets of a mask.
func highest(mask uint64, n int) (part uint64) {
	for ; n > 0 && mask != 0; n-- {
		top := uint64(1) << (bits.Len64(mask) - 1)
		part, mask = part|top, mask&^top
	}
	return part
}

// shuffled lists a mask's buckets in random order, so that relays that start together try different ones.
func shuffled(mask uint64) []int32 {
	var all []int32
	for _, b := range listBuckets(mask) {
		all = append(all, int32(b))
	}
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

func (l *leases) close() {
	ctx, cancel := context.WithTimeout(context.Background(), leaseTimeout)
	defer cancel()
	_ = l.conn.Close(ctx) // the session and its locks end in any case
}
