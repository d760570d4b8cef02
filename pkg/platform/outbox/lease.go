package outbox

import (
	"context"
	"fmt"
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
// gives up, after about 20 s.
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
	for param, value := range map[string]string{"tcp_keepalives_idle": "5", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3"} {
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

// share is how many buckets this relay should hold: its part of all, rounded up.
func (l *leases) share(ctx context.Context) (int, error) {
	var relays int
	err := l.conn.QueryRow(ctx, `
		SELECT count(*) FROM pg_locks
		WHERE locktype = 'advisory' AND classid::bigint = $1 AND objid::bigint = $2 AND granted
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
		int64(lockClass), int64(presence)).Scan(&relays)
	if err != nil {
		return 0, fmt.Errorf("count the relays: %w", err)
	}
	relays = max(relays, 1)
	return (buckets + relays - 1) / relays, nil
}

// balance takes free buckets up to this relay's share, or gives up what is above it: give is asked for each bucket
// and says whether nothing of it is in flight. An error means that the session, and with it every lease, is lost.
func (l *leases) balance(ctx context.Context, give func(bucket int) bool) error {
	ctx, cancel := context.WithTimeout(ctx, leaseTimeout)
	defer cancel()
	share, err := l.share(ctx)
	if err != nil {
		return err
	}
	var mine, free []int32
	for b := range buckets {
		if l.held&(1<<b) != 0 {
			mine = append(mine, int32(b))
		} else {
			free = append(free, int32(b))
		}
	}
	for ; len(mine) > share; mine = mine[:len(mine)-1] {
		b := mine[len(mine)-1]
		if !give(int(b)) {
			continue
		}
		l.held &^= 1 << b
		if _, err := l.conn.Exec(ctx, `SELECT pg_advisory_unlock($1, $2)`, lockClass, b); err != nil {
			return fmt.Errorf("give back bucket %d: %w", b, err)
		}
	}
	if len(mine) >= share {
		return nil
	}
	rand.Shuffle(len(free), func(i, j int) { free[i], free[j] = free[j], free[i] })
	// The plan is a filter over unnest under a limit, evaluated row by row: no lock is taken that is not returned.
	rows, err := l.conn.Query(ctx, `SELECT b FROM unnest($2::int[]) AS b WHERE pg_try_advisory_lock($1, b) LIMIT $3`,
		lockClass, free, share-len(mine))
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

func (l *leases) close() {
	ctx, cancel := context.WithTimeout(context.Background(), leaseTimeout)
	defer cancel()
	_ = l.conn.Close(ctx) // the session ends either way, and the locks with it
}
