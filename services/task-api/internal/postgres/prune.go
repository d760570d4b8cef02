package postgres

// This file has the statements that remove old rows. Package tasks decides what is old.

import (
	"context"
	"fmt"
	"time"

	"github.com/taskwire/taskwire/services/task-api/internal/tasks"
	"gorm.io/gorm"
)

const (
	// pruneBatch is the largest number of rows that one transaction removes. The transaction holds the locks of the rows'
	// users until it ends.
	pruneBatch = 2000
	// pruneLock is the advisory lock that lets one replica prune at a time. The number is arbitrary.
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
		{"ended sessions", `DELETE FROM refresh_families WHERE id IN (SELECT id FROM refresh_families WHERE revoked_at < @before LIMIT @batch)`, old.EndedSessions},
		{"revocations", `DELETE FROM revocations WHERE (kind, id) IN (SELECT kind, id FROM revocations WHERE kind <> 'user' AND added_at < @before LIMIT @batch)`, old.Revocations},
		{"revocations of users", `DELETE FROM revocations WHERE (kind, id) IN (SELECT kind, id FROM revocations WHERE kind = 'user' AND added_at < @before LIMIT @batch)`, old.DeletedUsers},
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

// pruneOnce runs one bounded statement in its own transaction, unless another replica is pruning. It reports whether more
// rows may be left.
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

// pruneChanges removes the oldest changes and raises changes_from of their users. It removes all changes of a user up to
// the newest one in the batch, so that the rest of the log has no gap. created_at alone does not ensure that, because the
// order of created_at can differ from the order of the commits.
const pruneChanges = `
WITH old AS (SELECT user_id, seq FROM changes WHERE created_at < @before ORDER BY created_at LIMIT @batch),
     upto AS (SELECT user_id, max(seq) AS seq FROM old GROUP BY user_id),
     moved AS (UPDATE heads h SET changes_from = greatest(h.changes_from, upto.seq + 1) FROM upto WHERE h.user_id = upto.user_id RETURNING h.user_id, h.changes_from)
DELETE FROM changes c USING moved WHERE c.user_id = moved.user_id AND c.seq < moved.changes_from`

// purgeTombstones removes tasks that were deleted too long ago and raises purged_seq of their users. The DELETE is joined
// with the UPDATE, so that it runs after the UPDATE has locked the user, as every writer does first. A task may be
// restored and deleted again while the UPDATE waits for that lock. Its seq is then above purged_seq, so it is not removed.
// snapshot_base is raised above every place in a snapshot that a client may have (see Sync).
const purgeTombstones = `
WITH old AS (SELECT id, user_id, seq FROM tasks WHERE deleted_at < @before ORDER BY deleted_at LIMIT @batch),
     upto AS (SELECT user_id, max(seq) AS seq FROM old GROUP BY user_id),
     moved AS (UPDATE heads h SET snapshot_base = h.snapshot_base + h.purged_seq, purged_seq = greatest(h.purged_seq, upto.seq) FROM upto WHERE h.user_id = upto.user_id RETURNING h.user_id, h.purged_seq)
DELETE FROM tasks t USING old, moved WHERE t.id = old.id AND t.user_id = moved.user_id AND t.deleted_at < @before AND t.seq <= moved.purged_seq`
