package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/mod/sumdb/tlog"
	"gorm.io/gorm"

	"github.com/taskwire/taskwire/services/audit/internal/domain"
)

// appendLock is the advisory lock that makes appends serial across replicas ("audit" in ASCII).
const appendLock int64 = 0x6175646974

// Store is the log in Postgres. Safe for concurrent use.
type Store struct{ db *gorm.DB }

// New makes a store on the database audit, opened as the service's role.
func New(db *gorm.DB) *Store { return &Store{db: db} }

var (
	_ domain.Writer = (*Store)(nil)
	_ domain.Reader = (*Store)(nil)
)

// Append implements domain.Writer. It gives the entries that it adds their positions.
func (s *Store) Append(ctx context.Context, entries []*domain.Entry) (added int, err error) {
	// database/sql below gorm: arrays as parameters keep one prepared statement for every batch size.
	pool, err := s.db.DB()
	if err != nil {
		return 0, fmt.Errorf("append entries: %w", err)
	}
	tx, err := pool.BeginTx(ctx, nil) // READ COMMITTED: each statement after the lock sees all earlier appends
	if err != nil {
		return 0, fmt.Errorf("append entries: begin: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // after the commit it does nothing
	added, err = appendIn(ctx, tx, entries)
	if err != nil {
		return 0, err
	}
	if err := tx.Commit(); err != nil {
		return 0, fmt.Errorf("append entries: commit: %w", err)
	}
	return added, nil
}

func appendIn(ctx context.Context, tx *sql.Tx, entries []*domain.Entry) (int, error) {
	if _, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1)`, appendLock); err != nil {
		return 0, fmt.Errorf("append entries: lock: %w", err)
	}
	fresh, err := withoutKnown(ctx, tx, entries)
	if err != nil || len(fresh) == 0 {
		return 0, err
	}
	var size int64
	if err := tx.QueryRowContext(ctx, sizeQuery).Scan(&size); err != nil {
		return 0, fmt.Errorf("append entries: size: %w", err)
	}
	indexes := domain.Frontier(size)
	found, err := readHashes(ctx, tx, indexes)
	if err != nil {
		return 0, fmt.Errorf("append entries: read the frontier: %w", err)
	}
	hashes, err := domain.Extend(size, found, fresh)
	if err != nil {
		return 0, fmt.Errorf("append entries: %w", err)
	}
	if err := insertEntries(ctx, tx, fresh); err != nil {
		return 0, fmt.Errorf("append entries: insert: %w", unstorable(err))
	}
	if err := insertHashes(ctx, tx, tlog.StoredHashCount(size), hashes); err != nil {
		return 0, fmt.Errorf("append entries: insert hashes: %w", err)
	}
	return len(fresh), nil
}

// withoutKnown removes the events that are in the log already, and duplicates in entries.
func withoutKnown(ctx context.Context, tx *sql.Tx, entries []*domain.Entry) ([]*domain.Entry, error) {
	ids := make([]string, len(entries))
	for i, e := range entries {
		ids[i] = e.EventID
	}
	rows, err := tx.QueryContext(ctx, `SELECT event_id::text FROM entries WHERE event_id = ANY($1::text[]::uuid[])`, ids)
	if err != nil {
		return nil, fmt.Errorf("append entries: look for duplicates: %w", err)
	}
	defer func() { _ = rows.Close() }() // rows.Err returns the error
	known := map[string]bool{}
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("append entries: look for duplicates: %w", err)
		}
		known[id] = true
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("append entries: look for duplicates: %w", err)
	}
	fresh := make([]*domain.Entry, 0, len(entries))
	for _, e := range entries {
		if !known[e.EventID] {
			known[e.EventID] = true
			fresh = append(fresh, e)
		}
	}
	return fresh, nil
}

func insertEntries(ctx context.Context, tx *sql.Tx, entries []*domain.Entry) error {
	n := len(entries)
	positions, versions, seqs := make([]int64, n), make([]int64, n), make([]int64, n)
	ids, users, tasks, types, actors, documents := make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	occurred, recorded := make([]time.Time, n), make([]time.Time, n)
	leaves, hashes := make([][]byte, n), make([][]byte, n)
	for i, e := range entries {
		positions[i], versions[i], seqs[i] = e.Position, e.TaskVersion, e.Seq
		ids[i], users[i], tasks[i], types[i], actors[i], documents[i] = e.EventID, e.UserID, e.TaskID, e.EventType, e.Actor, string(e.Event)
		occurred[i], recorded[i] = e.OccurredAt, e.RecordedAt
		leaves[i], hashes[i] = e.Leaf(), e.LeafHash[:]
	}
	_, err := tx.ExecContext(ctx, `
		INSERT INTO entries (position, event_id, user_id, task_id, event_type, task_version, seq, occurred_at, recorded_at, actor, event, leaf, leaf_hash)
		SELECT position, event_id::uuid, user_id::uuid, task_id::uuid, event_type, task_version, seq, occurred_at, recorded_at, actor, event::jsonb, leaf, leaf_hash
		FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::timestamptz[], $9::timestamptz[], $10::text[], $11::text[], $12::bytea[], $13::bytea[])
		AS t (position, event_id, user_id, task_id, event_type, task_version, seq, occurred_at, recorded_at, actor, event, leaf, leaf_hash)`,
		positions, ids, users, tasks, types, versions, seqs, occurred, recorded, actors, documents, leaves, hashes)
	return err
}

func insertHashes(ctx context.Context, tx *sql.Tx, first int64, hashes []tlog.Hash) error {
	indexes, values := make([]int64, len(hashes)), make([][]byte, len(hashes))
	for i := range hashes {
		indexes[i], values[i] = first+int64(i), hashes[i][:]
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO hashes (index, hash) SELECT * FROM unnest($1::bigint[], $2::bytea[])`, indexes, values)
	return err
}

// unstorable marks a data exception (SQLSTATE class 22) as ErrUnstorable: the event would fail every time. An example is
// a NUL in a text, which JSON can contain and Postgres cannot.
func unstorable(err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && len(pg.Code) == 5 && pg.Code[:2] == "22" {
		return fmt.Errorf("%w: %w", domain.ErrUnstorable, err)
	}
	return err
}
