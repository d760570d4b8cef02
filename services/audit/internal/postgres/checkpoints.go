package postgres

// This file keeps the signed checkpoints, and reads a part of the log as it is stored, for the check.

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/taskwire/taskwire/pkg/platform/auditlog"
	"github.com/taskwire/taskwire/services/audit/internal/domain"
)

var _ domain.CheckpointStore = (*Store)(nil)

const keptColumns = `size, root, checkpoint, verifier_key`

// Newest implements domain.CheckpointStore.
func (s *Store) Newest(ctx context.Context, key string, limit int) ([]domain.Kept, error) {
	return s.kept(ctx, `SELECT `+keptColumns+` FROM checkpoints WHERE $1 IN ('', verifier_key) ORDER BY size DESC, kept_at DESC LIMIT $2`, key, limit)
}

// Kept implements domain.CheckStore.
func (s *Store) Kept(ctx context.Context, after, upTo int64) ([]domain.Kept, error) {
	return s.kept(ctx, `SELECT `+keptColumns+` FROM checkpoints WHERE size > $1 AND size <= $2 ORDER BY size`, after, upTo)
}

func (s *Store) kept(ctx context.Context, query string, args ...any) ([]domain.Kept, error) {
	var out []domain.Kept
	err := s.query(ctx, "read checkpoints", query, args, func(rows *sql.Rows) error {
		var k domain.Kept
		var root []byte
		if err := rows.Scan(&k.Size, &root, &k.Signed, &k.Key); err != nil {
			return err
		}
		copy(k.Root[:], root)
		out = append(out, k)
		return nil
	})
	return out, err
}

// Keep implements domain.CheckpointStore.
func (s *Store) Keep(ctx context.Context, k domain.Kept) error {
	pool, err := s.db.DB()
	if err == nil {
		_, err = pool.ExecContext(ctx, `
			INSERT INTO checkpoints (size, root, checkpoint, verifier_key) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
			k.Size, k.Root[:], string(k.Signed), k.Key)
	}
	if err != nil {
		return fmt.Errorf("keep the checkpoint of size %d: %w", k.Size, err)
	}
	return nil
}

// partQuery reads entries as they are stored. A time that is infinite has no form in Go, and is read as NULL. The last column
// compares the column event with the event in the leaf, which begins after the first empty line.
const partQuery = `
	SELECT position, event_id::text, user_id::text, coalesce(task_id::text, ''), event_type, task_version, seq,
		CASE WHEN isfinite(occurred_at) THEN occurred_at END, CASE WHEN isfinite(recorded_at) THEN recorded_at END, actor, leaf, leaf_hash,
		coalesce(event = convert_from(substr(leaf, position('\x0a0a'::bytea in leaf) + 2), 'UTF8')::jsonb, false)
	FROM entries WHERE position >= $1 AND position < $2 ORDER BY position`

// First implements domain.CheckStore.
func (s *Store) First(ctx context.Context) (first int64, err error) {
	err = s.query(ctx, "read the first position", `SELECT coalesce(min(position), 0) FROM entries`, nil, func(rows *sql.Rows) error {
		return rows.Scan(&first)
	})
	return first, err
}

// Part implements domain.CheckStore.
func (s *Store) Part(ctx context.Context, from, to int64) (domain.Part, error) {
	p, err := s.entriesOf(ctx, from, to)
	if unreadable(err) { // as an event in some leaf that is not JSON: the entries are read one by one
		p, err = domain.Part{}, nil
		for at := from; at < to && err == nil; at++ {
			err = s.addOne(ctx, &p, at)
		}
	}
	if err != nil {
		return domain.Part{}, err
	}
	first, end := tlog.StoredHashCount(from), tlog.StoredHashCount(to)
	p.Hashes = make(map[int64]tlog.Hash, end-first)
	err = s.query(ctx, "read the tree", `SELECT index, hash FROM hashes WHERE index >= $1 AND index < $2`, []any{first, end}, func(rows *sql.Rows) error {
		var index int64
		var hash []byte
		if err := rows.Scan(&index, &hash); err != nil {
			return err
		}
		if len(hash) == tlog.HashSize {
			p.Hashes[index] = tlog.Hash(hash)
		}
		return nil
	})
	for i := range p.Entries {
		e := &p.Entries[i]
		if hash, ok := p.Hashes[tlog.StoredHashIndex(0, e.Position)]; ok {
			e.TreeHash = &hash
		}
	}
	return p, err
}

func (s *Store) entriesOf(ctx context.Context, from, to int64) (p domain.Part, err error) {
	err = s.query(ctx, "read entries", partQuery, []any{from, to}, func(rows *sql.Rows) error {
		var e auditlog.Entry
		var occurred, recorded sql.NullTime
		var same bool
		if err := rows.Scan(&e.Position, &e.EventID, &e.UserID, &e.TaskID, &e.EventType, &e.TaskVersion, &e.Seq, &occurred, &recorded,
			&e.Actor, &e.Leaf, &e.LeafHash, &same); err != nil {
			return fmt.Errorf("%w: %w", errUnreadable, err)
		}
		e.OccurredAt, e.RecordedAt = occurred.Time.UTC().Truncate(time.Microsecond), recorded.Time.UTC()
		same = same && occurred.Valid && recorded.Valid // the zero time can be the leaf's
		p.Entries, p.Documents = append(p.Entries, e), append(p.Documents, same)
		return nil
	})
	return p, err
}

// addOne adds the entry at a position. One with a value that cannot be read is added with its leaf alone: its columns differ.
func (s *Store) addOne(ctx context.Context, p *domain.Part, at int64) error {
	one, err := s.entriesOf(ctx, at, at+1)
	if unreadable(err) {
		var e auditlog.Entry
		err = s.query(ctx, "read an entry", `SELECT leaf, leaf_hash FROM entries WHERE position = $1`, []any{at}, func(rows *sql.Rows) error {
			return rows.Scan(&e.Leaf, &e.LeafHash)
		})
		e.Position = at
		one = domain.Part{Entries: []auditlog.Entry{e}, Documents: []bool{false}}
	}
	p.Entries, p.Documents = append(p.Entries, one.Entries...), append(p.Documents, one.Documents...)
	return err
}

// errUnreadable is wrapped when a row has a value that its Go type does not have, as NULL where the table allowed none.
var errUnreadable = errors.New("a row cannot be read")

// unreadable reports whether a value could not be read, here or by the database: SQLSTATE class 22, a data exception.
func unreadable(err error) bool {
	var pg *pgconn.PgError
	return errors.Is(err, errUnreadable) || errors.As(err, &pg) && len(pg.Code) == 5 && pg.Code[:2] == "22"
}

// query calls scan for each row.
func (s *Store) query(ctx context.Context, what, query string, args []any, scan func(*sql.Rows) error) error {
	pool, err := s.db.DB()
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	rows, err := pool.QueryContext(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	defer func() { _ = rows.Close() }() // rows.Err returns the error
	for rows.Next() {
		if err := scan(rows); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
