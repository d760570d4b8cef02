package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/taskwire/taskwire/services/task-api/internal/tasks"
	"gorm.io/gorm"
)

const (
	// pruneBatch bounds the rows of one transaction, which holds the locks of their users meanwhile.
	pruneBatch = 2000
	// pruneLock lets one replica at a time do this. The number means nothing else.
	pruneLock = 7_265_301
)

// Prune implements tasks.Pruner.
func (s *Store) Prune(ctx context.Context, old tasks.Retention) error {
	for _, job := range []struct {
		name   string
		sql    string
		before time.Time
	}{
		{"changes", pruneChanges, old.Changes},
		{"tombstones", purgeTombstones, old.Tombstones},
		{"idempotency keys", `DELETE FROM idempotency_keys WHERE ctid = ANY (ARRAY(SELECT ctid FROM idempotency_keys WHERE created_at < @before LIMIT @batch))`, old.Keys},
		{"log-ins", `DELETE FROM refresh_families WHERE id IN (SELECT id FROM refresh_families WHERE expires_at < @before LIMIT @batch)`, old.LogIns},
		{"used refresh tokens", `DELETE FROM refresh_tokens WHERE hash IN (SELECT hash FROM refresh_tokens WHERE rotated_at < @before LIMIT @batch)`, old.UsedTokens},
	} {
		for {
			more, err := s.pruneOnce(ctx, job.sql, job.before)
			if err != nil {
				return fmt.Errorf("remove old %s: %w", job.name, err)
			}
			if !more {
				break
			}
		}
	}
	return nil
}

// pruneOnce runs one bounded statement in a transaction of its own, unless another replica does so now, and reports
// whether there may be more to do.
func (s *Store) pruneOnce(ctx context.Context, sql string, before time.Time) (more bool, err error) {
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var mine bool
		if err := tx.Raw(`SELECT pg_try_advisory_xact_lock(?)`, pruneLock).Scan(&mine).Error; err != nil || !mine {
			return err
		}
		res := tx.Exec(sql, map[string]any{"before": before, "batch": pruneBatch})
		more = res.RowsAffected > 0
		return res.Error
	})
	return more, err
}

// pruneChanges removes the oldest changes and moves changes_from of their users. A user's changes go from the oldest
// on, all up to the newest of the batch, so that what is left has no gap: the clock by which they are old is not
// exactly the order in which they were committed.
const pruneChanges = `
WITH old AS (SELECT user_id, seq FROM changes WHERE created_at < @before ORDER BY created_at LIMIT @batch),
     upto AS (SELECT user_id, max(seq) AS seq FROM old GROUP BY user_id),
     moved AS (UPDATE heads h SET changes_from = greatest(h.changes_from, upto.seq + 1) FROM upto WHERE h.user_id = upto.user_id RETURNING h.user_id, h.changes_from)
DELETE FROM changes c USING moved WHERE c.user_id = moved.user_id AND c.seq < moved.changes_from`

// purgeTombstones removes tasks that were deleted too long ago and moves purged_seq of their users. The delete is
// joined with the update so that it comes after it: every writer takes the user's lock first. A task that was restored
// and deleted again while the update waited for that lock has a newer seq than purged_seq says, and stays. snapshot_base
// moves beyond every place in a snapshot that was given out before (see Sync).
const purgeTombstones = `
WITH old AS (SELECT id, user_id, seq FROM tasks WHERE deleted_at < @before ORDER BY deleted_at LIMIT @batch),
     upto AS (SELECT user_id, max(seq) AS seq FROM old GROUP BY user_id),
     moved AS (UPDATE heads h SET snapshot_base = h.snapshot_base + h.purged_seq, purged_seq = greatest(h.purged_seq, upto.seq) FROM upto WHERE h.user_id = upto.user_id RETURNING h.user_id, h.purged_seq)
DELETE FROM tasks t USING old, moved WHERE t.id = old.id AND t.user_id = moved.user_id AND t.deleted_at < @before AND t.seq <= moved.purged_seq`
