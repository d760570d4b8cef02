package outbox

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/taskwire/taskwire/pkg/platform/postgres"
)

const (
	// fetchRows and fetchBytes bound what one worker holds in memory. Its buckets share them.
	fetchRows  = 1024
	fetchBytes = 8 << 20
	// minPerBucket keeps a fetch worth its round trip, however many buckets share fetchRows.
	minPerBucket = 16
	// probePerBucket is enough to find out whether a broker is back: a row that must be alone in its bulk, and another.
	probePerBucket = 2
	// storeTimeout bounds each of the relay's statements. All of them touch few rows.
	storeTimeout = 5 * time.Second
)

// store is the relay's access to the table. It has connections of its own, so that requests and relay cannot starve one
// another, and so that its sessions can set the planner's parameters.
type store struct {
	pool       *pgxpool.Pool
	watermarks watermarks
}

func openStore(ctx context.Context, url, name string, conns int) (*store, error) {
	conn, err := postgres.ConnConfig(url, name)
	if err != nil {
		return nil, err
	}
	for param, value := range map[string]string{
		// The statistics of a queue are always wrong: it was empty or full when they were taken. The one right plan walks
		// the index in order.
		"enable_seqscan": "off", "enable_bitmapscan": "off", "enable_sort": "off",
		"plan_cache_mode": "force_generic_plan", "jit": "off",
		"statement_timeout": fmt.Sprint(storeTimeout.Milliseconds()),
	} {
		conn.RuntimeParams[param] = value
	}
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	cfg.ConnConfig = conn
	cfg.MaxConns = int32(conns)
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return &store{pool: pool}, nil
}

func (s *store) close() { s.pool.Close() }

// listBuckets lists the buckets of a mask.
func listBuckets(mask uint64) []int16 {
	var all []int16
	for b := int16(0); b < buckets; b++ {
		if mask&(1<<b) != 0 {
			all = append(all, b)
		}
	}
	return all
}

// withRows returns the buckets of mask that have rows.
func (s *store) withRows(ctx context.Context, mask uint64) (uint64, error) {
	wanted := listBuckets(mask)
	if len(wanted) == 0 {
		return 0, nil
	}
	rows, err := s.pool.Query(ctx, `
		SELECT b FROM unnest($1::smallint[], $2::bigint[]) AS t (b, w)
		WHERE EXISTS (SELECT FROM outbox WHERE bucket = b AND id > w)`, wanted, s.watermarks.of(wanted))
	if err != nil {
		return 0, fmt.Errorf("look for events: %w", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[int16])
	if err != nil {
		return 0, fmt.Errorf("look for events: %w", err)
	}
	var with uint64
	for _, b := range found {
		with |= 1 << b
	}
	return with, nil
}

// fetchSQL reads the oldest rows of each bucket, up to a number and a size, without the topics and order keys that back
// off. It begins above the low watermark and not above the last published id, so it finds a row that was numbered early
// and committed late.
const fetchSQL = `
	SELECT o.bucket, o.id, o.topic, o.key, o.event_id::text, o.type, o.subject, o.trace_parent, o.data
	FROM unnest($1::smallint[], $7::bigint[]) AS b (bucket, watermark)
	CROSS JOIN LATERAL (
		SELECT *, sum(octet_length(data)) OVER (ORDER BY id) AS upto
		FROM (
			SELECT * FROM outbox
			WHERE outbox.bucket = b.bucket AND outbox.id > b.watermark
				AND outbox.topic <> ALL ($3::text[])
				AND (outbox.topic, outbox.key) NOT IN (SELECT * FROM unnest($4::text[], $5::text[]))
			ORDER BY outbox.id LIMIT $2
		) AS oldest
	) AS o
	WHERE o.upto - octet_length(o.data) < $6`

const deleteSQL = `
	DELETE FROM outbox USING unnest($1::smallint[], $2::bigint[]) AS gone (bucket, id)
	WHERE outbox.bucket = gone.bucket AND outbox.id = gone.id`

// fetch is a request for rows.
type fetch struct {
	mask       uint64     // the buckets to read; 0 reads nothing
	skipTopics []string   // topics that back off
	skipKeys   []orderKey // order keys that back off
	probe      bool       // read only the few rows of one attempt
}

// deleteAndFetch deletes the published rows and fetches what ask requests, in one round trip and one transaction. rows
// are in id order. more is the mask of the buckets that may have further rows.
func (s *store) deleteAndFetch(ctx context.Context, published []row, ask fetch) (rows []row, more uint64, err error) {
	batch := &pgx.Batch{}
	if len(published) > 0 {
		bucket, id := primaryKeys(published)
		batch.Queue(deleteSQL, bucket, id)
	}
	if wanted := listBuckets(ask.mask); len(wanted) > 0 {
		keyTopics, keys := make([]string, len(ask.skipKeys)), make([]string, len(ask.skipKeys))
		for i, k := range ask.skipKeys {
			keyTopics[i], keys[i] = k.topic, k.key
		}
		perBucket, bytesPerBucket := max(minPerBucket, fetchRows/len(wanted)), fetchBytes/len(wanted)
		if ask.probe {
			perBucket = probePerBucket
		}
		args := []any{wanted, perBucket, ask.skipTopics, keyTopics, keys, bytesPerBucket, s.watermarks.of(wanted)}
		batch.Queue(fetchSQL, args...).Query(func(rs pgx.Rows) (err error) {
			rows, more, err = scanRows(rs, perBucket, bytesPerBucket)
			return err
		})
	}
	if batch.Len() == 0 {
		return nil, 0, nil
	}
	if err := s.pool.SendBatch(ctx, batch).Close(); err != nil {
		return nil, 0, fmt.Errorf("delete %d published events and fetch the next: %w", len(published), err)
	}
	return rows, more, nil
}

func scanRows(rs pgx.Rows, perBucket, bytesPerBucket int) (rows []row, more uint64, err error) {
	var count, bytes [buckets]int
	for rs.Next() {
		var r row
		err := rs.Scan(&r.bucket, &r.id, &r.Topic, &r.Key, &r.EventID, &r.Type, &r.Subject, &r.TraceParent, &r.Data)
		if err != nil {
			return nil, 0, err
		}
		count[r.bucket]++
		bytes[r.bucket] += len(r.Data)
		if count[r.bucket] >= perBucket || bytes[r.bucket] >= bytesPerBucket {
			more |= 1 << r.bucket
		}
		rows = append(rows, r)
	}
	// The oldest first over all buckets, so that no bucket waits for the backlog of another.
	slices.SortFunc(rows, func(a, b row) int { return int(a.id - b.id) })
	return rows, more, rs.Err()
}

// primaryKeys returns the two columns of the rows' primary keys.
func primaryKeys(rows []row) (bucket []int16, id []int64) {
	bucket, id = make([]int16, len(rows)), make([]int64, len(rows))
	for i, r := range rows {
		bucket[i], id[i] = r.bucket, r.id
	}
	return bucket, id
}

const parkSQL = `
	WITH refused AS (SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::text[]) AS r (bucket, id, reason)),
	gone AS (
		DELETE FROM outbox USING refused WHERE outbox.bucket = refused.bucket AND outbox.id = refused.id
		RETURNING outbox.*, refused.reason
	)
	INSERT INTO outbox_parked (id, topic, key, event_id, type, subject, trace_parent, data, created_at, reason)
	SELECT id, topic, key, event_id, type, subject, trace_parent, data, created_at, reason FROM gone`

// park moves refused events to outbox_parked in one statement, so that each is in exactly one of the two tables.
func (s *store) park(ctx context.Context, refused []refusal) error {
	rows, reasons := make([]row, len(refused)), make([]string, len(refused))
	for i, x := range refused {
		rows[i], reasons[i] = x.row, x.err.Error()
	}
	bucket, id := primaryKeys(rows)
	if _, err := s.pool.Exec(ctx, parkSQL, bucket, id, reasons); err != nil {
		return fmt.Errorf("park %d refused events: %w", len(refused), err)
	}
	return nil
}

// counts are those of the whole table, not only of the buckets that this relay holds.
type counts struct {
	backlog, parked int64
	oldest          float64 // age of the oldest row in seconds
}

func (s *store) count(ctx context.Context) (c counts, err error) {
	every := listBuckets(^uint64(0))
	err = s.pool.QueryRow(ctx, `
		WITH part AS (
			SELECT n, oldest FROM unnest($1::smallint[], $2::bigint[]) AS b (bucket, watermark)
			CROSS JOIN LATERAL (
				SELECT count(*) AS n, min(created_at) AS oldest FROM outbox WHERE outbox.bucket = b.bucket AND outbox.id > b.watermark
			) AS rows
		)
		SELECT sum(n)::bigint, (SELECT count(*) FROM outbox_parked),
			COALESCE(EXTRACT(epoch FROM clock_timestamp() - min(oldest)), 0)::float8
		FROM part`, every, s.watermarks.of(every)).Scan(&c.backlog, &c.parked, &c.oldest)
	return c, err
}
