package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"
	"gorm.io/gorm"

	"github.com/taskwire/taskwire/pkg/platform/auditlog"
	"github.com/taskwire/taskwire/services/audit/internal/domain"
)

const sizeQuery = `SELECT coalesce(max(position) + 1, 0) FROM entries`

// row is a row of entries without the columns that the leaf contains.
type row struct {
	Position    int64
	EventID     string
	UserID      string
	TaskID      string
	EventType   string
	TaskVersion int64
	Seq         int64
	OccurredAt  time.Time
	RecordedAt  time.Time
	Actor       string
	Leaf        []byte
	LeafHash    []byte
}

const columns = `position, event_id, user_id, coalesce(task_id::text, '') AS task_id, event_type, task_version, seq, occurred_at, recorded_at, actor, leaf, leaf_hash`

func (r row) entry() (domain.Entry, error) {
	leaf, err := auditlog.ParseLeaf(r.Leaf)
	if err != nil {
		return domain.Entry{}, fmt.Errorf("entry %d: %w", r.Position, err)
	}
	e := domain.Entry{
		Position: r.Position, EventID: r.EventID, UserID: r.UserID, TaskID: r.TaskID, EventType: r.EventType,
		TaskVersion: r.TaskVersion, Seq: r.Seq, OccurredAt: r.OccurredAt.UTC(), RecordedAt: leaf.RecordedAt,
		Actor: r.Actor, Event: leaf.Event,
	}
	copy(e.LeafHash[:], r.LeafHash)
	return e, nil
}

func (s *Store) entries(ctx context.Context) *gorm.DB {
	return s.db.WithContext(ctx).Table("entries").Select(columns)
}

func fetch(q *gorm.DB, what string) ([]domain.Entry, error) {
	var rows []row
	if err := q.Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	entries := make([]domain.Entry, len(rows))
	for i, r := range rows {
		e, err := r.entry()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
		entries[i] = e
	}
	return entries, nil
}

// List implements domain.Reader.
func (s *Store) List(ctx context.Context, f domain.Filter, limit int) ([]domain.Entry, error) {
	q := s.entries(ctx)
	if f.UserID != "" {
		q = q.Where("user_id = ?", f.UserID)
	}
	if f.TaskID != "" {
		q = q.Where("task_id = ?", f.TaskID)
	}
	if len(f.EventTypes) > 0 {
		q = q.Where("event_type IN ?", f.EventTypes)
	}
	if len(f.Actors) > 0 {
		q = q.Where("actor IN ?", f.Actors)
	}
	if len(f.Fields) > 0 {
		q = q.Where("event->'changes' @> ANY (CAST(? AS jsonb[]))", changeOf(f.Fields))
	}
	if !f.Since.IsZero() {
		q = q.Where("occurred_at >= ?", f.Since)
	}
	if !f.Until.IsZero() {
		q = q.Where("occurred_at < ?", f.Until)
	}
	order, beyond := "position", "position > ?"
	if f.Newest {
		order, beyond = "position DESC", "position < ?"
	}
	if f.After != nil {
		q = q.Where(beyond, *f.After)
	}
	return fetch(q.Order(order).Limit(limit), "list entries")
}

// changeOf returns an array of documents of which a list of changes contains one if a field changed. A field has no character
// that the text of an array escapes other than the quotes.
func changeOf(fields []string) string {
	out := make([]string, len(fields))
	for i, name := range fields {
		out[i] = `"[{\"field\": \"` + name + `\"}]"`
	}
	return "{" + strings.Join(out, ",") + "}"
}

// History implements domain.Reader.
func (s *Store) History(ctx context.Context, f domain.HistoryFilter, limit int) ([]domain.Entry, error) {
	q := s.entries(ctx).Where("task_id = ?", f.TaskID)
	if f.UserID != "" {
		q = q.Where("user_id = ?", f.UserID)
	}
	if f.After != nil {
		q = q.Where("(task_version, position) > (?, ?)", f.After.TaskVersion, f.After.Position)
	}
	return fetch(q.Order("task_version, position").Limit(limit), "list a task's entries")
}

// ByPosition implements domain.Reader.
func (s *Store) ByPosition(ctx context.Context, position int64) (domain.Entry, error) {
	return one(s.entries(ctx).Where("position = ?", position), "entry by position")
}

// ByEventID implements domain.Reader.
func (s *Store) ByEventID(ctx context.Context, eventID string) (domain.Entry, error) {
	return one(s.entries(ctx).Where("event_id = ?", eventID), "entry by event")
}

func one(q *gorm.DB, what string) (domain.Entry, error) {
	found, err := fetch(q.Limit(1), what)
	if err != nil {
		return domain.Entry{}, err
	}
	if len(found) == 0 {
		return domain.Entry{}, fmt.Errorf("%s: %w", what, domain.ErrNotFound)
	}
	return found[0], nil
}

// Size implements domain.Reader.
func (s *Store) Size(ctx context.Context) (int64, error) {
	var size int64
	if err := s.db.WithContext(ctx).Raw(sizeQuery).Scan(&size).Error; err != nil {
		return 0, fmt.Errorf("size of the log: %w", err)
	}
	return size, nil
}

// ReadHashes implements domain.Reader.
func (s *Store) ReadHashes(ctx context.Context, indexes []int64) ([]tlog.Hash, error) {
	pool, err := s.db.DB()
	if err != nil {
		return nil, fmt.Errorf("read stored hashes: %w", err)
	}
	found, err := readHashes(ctx, pool, indexes)
	if err != nil {
		return nil, err
	}
	hashes := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		hashes[i] = found[index]
	}
	return hashes, nil
}

type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// readHashes reads stored hashes. A missing hash is an error, because the tree cannot be read without it.
func readHashes(ctx context.Context, q queryer, indexes []int64) (map[int64]tlog.Hash, error) {
	found := make(map[int64]tlog.Hash, len(indexes))
	if len(indexes) == 0 {
		return found, nil
	}
	rows, err := q.QueryContext(ctx, `SELECT index, hash FROM hashes WHERE index = ANY($1::bigint[])`, indexes)
	if err != nil {
		return nil, fmt.Errorf("read stored hashes: %w", err)
	}
	defer func() { _ = rows.Close() }() // rows.Err returns the error
	for rows.Next() {
		var index int64
		var hash []byte
		if err := rows.Scan(&index, &hash); err != nil {
			return nil, fmt.Errorf("read stored hashes: %w", err)
		}
		if len(hash) != tlog.HashSize {
			return nil, errors.New("read stored hashes: a hash is not 32 bytes long")
		}
		found[index] = tlog.Hash(hash)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read stored hashes: %w", err)
	}
	for _, index := range indexes {
		if _, ok := found[index]; !ok {
			return nil, fmt.Errorf("read stored hashes: hash %d is missing", index)
		}
	}
	return found, nil
}
