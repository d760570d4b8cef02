package outbox

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
	// lockClass is the first half of every advisory lock key of this package ("twob"), the second half the bucket.
	lockClass = 0x74776f62
	// presence is locked, shared, by every relay that lives: counting its holders tells how many share the work.
	presence = buckets
	// leaseTimeout bounds each statement on the lease session. One that takes longer is taken for lost.
	leaseTimeout = 3 * time.Second
)

// leases are the buckets that one relay holds: session advisory locks on a connection of its own. They end with the
// session, so a process that dies gives them back at once, and one whose host vanishes when the server's keepalive
// gives up, after about 20 s. (They need a session: not a pooler that shares one between clients.)
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
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock_shared($1, $2)`, lockClass, presence); err != nil {
		_ = conn.Close(ctx)
		return nil, fmt.Errorf("announce the relay: %w", err)
	}
	return &leases{conn: conn}, nil
}

// survey is who holds what.
type survey struct {
	relays int
	taken  uint64 // by any relay
}

func (l *leases) survey(ctx context.Context) (s survey, err error) {
	rows, err := l.conn.Query(ctx, `
		SELECT objid::int, count(*)::int FROM pg_locks
		WHERE locktype = 'advisory' AND classid = $1::bigint::oid AND objsubid = 2 AND granted
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
		GROUP BY objid`, int64(lockClass))
	if err != nil {
		return s, fmt.Errorf("see who holds what: %w", err)
	}
	var id, holders int
	_, err = pgx.ForEachRow(rows, []any{&id, &holders}, func() error {
		switch {
		case id == presence:
			s.relays = holders
		case id < buckets:
			s.taken |= 1 << id
		}
		return nil
	})
	if err != nil {
		return s, fmt.Errorf("see who holds what: %w", err)
	}
	s.relays = max(s.relays, 1)
	return s, nil
}

// share is one relay's part of the buckets, rounded up so that none is left over.
func share(relays int) int { return (buckets + relays - 1) / relays }

// balance takes free buckets up to this relay's share, or gives back what is above it. release is given the buckets to
// part with and answers those that nothing is in flight for; the others go the next time. usable are the buckets to
// work on. settled is false while buckets move. An error means that the session, and with it every lease, is lost.
func (l *leases) balance(ctx context.Context, release func(mask uint64) uint64) (usable uint64, settled bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, leaseTimeout)
	defer cancel()
	s, err := l.survey(ctx)
	if err != nil {
		return 0, false, err
	}
	excess := bits.OnesCount64(l.held) - share(s.relays)
	switch {
	case excess > 0:
		part := highest(l.held, excess)
		err := l.give(ctx, release(part))
		return l.held &^ part, false, err
	case excess < 0:
		free := shuffled(^s.taken)
		if len(free) == 0 { // the others are about to give theirs back, or the parts do not come out even
			return l.held, true, nil
		}
		err := l.take(ctx, free[:min(len(free), -excess)])
		return l.held, false, err
	}
	return l.held, true, nil
}

func (l *leases) give(ctx context.Context, mask uint64) error {
	if mask == 0 {
		return nil
	}
	l.held &^= mask
	_, err := l.conn.Exec(ctx, `SELECT pg_advisory_unlock($1, b) FROM unnest($2::int[]) AS b`, lockClass, listBuckets(mask))
	if err != nil {
		return fmt.Errorf("give back buckets: %w", err)
	}
	return nil
}

func (l *leases) take(ctx context.Context, wanted []int32) error {
	rows, err := l.conn.Query(ctx, `SELECT b FROM unnest($2::int[]) AS b WHERE pg_try_advisory_lock($1, b)`, lockClass, wanted)
	if err != nil {
		return fmt.Errorf("take buckets: %w", err)
	}
	taken, err := pgx.CollectRows(rows, pgx.RowTo[int32])
	if err != nil {
		return fmt.Errorf("take buckets: %w", err)
	}
	for _, b := range taken {
		l.held |= 1 << b
	}
	return nil
}

// highest answers the n highest buckets of a mask.
func highest(mask uint64, n int) (part uint64) {
	for ; n > 0 && mask != 0; n-- {
		top := uint64(1) << (bits.Len64(mask) - 1)
		part, mask = part|top, mask&^top
	}
	return part
}

// shuffled lists a mask's buckets, so that relays that start together do not all reach for the same.
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
	_ = l.conn.Close(ctx) // the session ends either way, and the locks with it
}
