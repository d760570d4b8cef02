package postgres

// This file reads the change log of the inboxes and the users' newest numbers, and removes old changes.

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/taskwire/taskwire/services/notification/internal/domain"
)

// snapshot makes all statements of a transaction read the same state.
var snapshot = &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}

// Changes implements domain.ChangeLog.
func (s *Store) Changes(ctx context.Context, userID string, since int64, limit int) (domain.ChangePage, error) {
	page := domain.ChangePage{Items: []json.RawMessage{}}
	err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var from int64
		var err error
		if page.Head, from, err = readHead(ctx, tx, userID); err != nil {
			return err
		}
		if from > 1 {
			page.Oldest = from
		}
		if since < from-1 {
			return domain.ErrTooOld
		}
		type row struct {
			seq     int64
			payload string
		}
		rows, err := collect(ctx, tx, "changes", func(rows *sql.Rows, r *row) error { return rows.Scan(&r.seq, &r.payload) },
			`SELECT seq, payload FROM changes WHERE user_id = $1 AND seq > $2 ORDER BY seq LIMIT $3`, userID, since, limit)
		if err != nil {
			return err
		}
		for i, r := range rows {
			// The users' locks make a gap impossible. A client could not detect a gap, so this check fails instead.
			if want := since + int64(i) + 1; r.seq != want {
				return fmt.Errorf("gap in the change log of the inbox of user %s: got seq %d, want %d", userID, r.seq, want)
			}
			page.Items = append(page.Items, json.RawMessage(r.payload))
		}
		page.HasMore = since+int64(len(rows)) < page.Head
		page.Unread, err = readUnread(ctx, tx, userID)
		return err
	}, snapshot)
	if err != nil {
		return domain.ChangePage{}, fmt.Errorf("read changes of an inbox: %w", err)
	}
	return page, nil
}

// readUnread returns how many notifications of an inbox are unread.
func readUnread(ctx context.Context, tx *gorm.DB, userID string) (unread int64, err error) {
	err = conn(tx).QueryRowContext(ctx, `SELECT count(*) FROM notifications WHERE user_id = $1 AND read_at IS NULL`, userID).Scan(&unread)
	if err != nil {
		return 0, fmt.Errorf("count unread notifications: %w", err)
	}
	return unread, nil
}

// readHead returns the newest number of an inbox and the oldest one in the log: 0 and 1 before the first change.
func readHead(ctx context.Context, tx *gorm.DB, userID string) (seq, from int64, err error) {
	err = conn(tx).QueryRowContext(ctx, `SELECT seq, changes_from FROM heads WHERE user_id = $1`, userID).Scan(&seq, &from)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, 1, nil
	}
	if err != nil {
		return 0, 0, fmt.Errorf("read head: %w", err)
	}
	return seq, from, nil
}

// Heads implements domain.ChangeLog.
func (s *Store) Heads(ctx context.Context, userIDs []string) (map[string]int64, error) {
	type row struct {
		user string
		seq  int64
	}
	rows, err := collect(ctx, s.db.WithContext(ctx), "read heads", func(rows *sql.Rows, r *row) error { return rows.Scan(&r.user, &r.seq) },
		`SELECT user_id, seq FROM heads WHERE user_id = ANY($1::text[]::uuid[])`, userIDs)
	if err != nil {
		return nil, err
	}
	out := make(map[string]int64, len(rows))
	for _, r := range rows {
		out[r.user] = r.seq
	}
	return out, nil
}

const (
	// pruneBatch is the largest number of old changes that one transaction looks at. It holds the locks of their users
	// until it ends.
	pruneBatch = 2000
	// pruneLock is the advisory lock that lets one replica prune at a time. The number is arbitrary.
	pruneLock = 7_265_302

	// pruneChanges removes the oldest changes and raises changes_from of their users, whom it locks in the order of their
	// ids. It removes all changes of a user up to the newest one in the batch, so that the rest of the log has no gap.
	// created_at alone does not ensure that, because its order can differ from the order of the commits.
	pruneChanges = `
WITH old AS (SELECT user_id, seq FROM changes WHERE created_at < $1 ORDER BY created_at LIMIT $2),
     upto AS (SELECT user_id, max(seq) AS seq FROM old GROUP BY user_id),
     locked AS MATERIALIZED (SELECT h.user_id FROM heads h WHERE h.user_id IN (SELECT user_id FROM upto) ORDER BY h.user_id FOR NO KEY UPDATE),
     moved AS (UPDATE heads h SET changes_from = greatest(h.changes_from, upto.seq + 1) FROM upto, locked
               WHERE h.user_id = upto.user_id AND h.user_id = locked.user_id RETURNING h.user_id, h.changes_from)
DELETE FROM changes c USING moved WHERE c.user_id = moved.user_id AND c.seq < moved.changes_from`
)

// PruneChanges removes the changes from before a time in bounded steps, and returns their number.
func (s *Store) PruneChanges(ctx context.Context, before time.Time) (removed int64, err error) {
	for {
		var n int64
		err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
			var mine bool
			if err := conn(tx).QueryRowContext(ctx, `SELECT pg_try_advisory_xact_lock($1)`, pruneLock).Scan(&mine); err != nil || !mine {
				return err
			}
			res, err := conn(tx).ExecContext(ctx, pruneChanges, before, pruneBatch)
			if err != nil {
				return err
			}
			n, err = res.RowsAffected()
			return err
		})
		if err != nil {
			return removed, fmt.Errorf("remove old changes of inboxes: %w", err)
		}
		if removed += n; n == 0 {
			return removed, nil
		}
	}
}
