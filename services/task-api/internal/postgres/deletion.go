package postgres

// This file deletes an account in one transaction, and its data later in bounded steps.

import (
	"context"
	"fmt"
	"time"

	"github.com/taskwire/taskwire/pkg/platform/outbox"
	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/publish"
	"gorm.io/gorm/clause"
)

// deletionBatch is the largest number of tasks that one transaction removes. Each task has up to three events.
const deletionBatch = 500

// DeleteUser implements accounts.Store. This transaction deletes the account: its row, its log-ins, and its row in heads.
// Without a row in heads, every write, read and replay of an Idempotency-Key fails. Tasks, change log and keys may be
// large, so DeletionStep removes them later.
func (s *Store) DeleteUser(ctx context.Context, id, passwordHash string, now time.Time, record accounts.Record) error {
	err := s.outbox.InTx(ctx, func(tx *outbox.Tx) error {
		// Every writer takes this lock first. So a concurrent write commits before the deletion, which then removes its
		// task, or it finds no user.
		var heads []headRow
		if err := tx.Raw(`SELECT * FROM heads WHERE user_id = ? FOR UPDATE`, id).Scan(&heads).Error; err != nil {
			return err
		}
		res := tx.Exec(`DELETE FROM users WHERE id = ? AND password_hash = ?`, id, passwordHash)
		if res.Error != nil {
			return res.Error
		}
		if res.RowsAffected == 0 || len(heads) == 0 {
			return accounts.ErrWrong
		}
		err := tx.Exec(`INSERT INTO account_deletions (user_id, seq, snapshot_base, oidc, requested_at) VALUES (@id, @seq, @base, @oidc, @now)
			ON CONFLICT (user_id) DO UPDATE SET seq = @seq, snapshot_base = @base, oidc = @oidc, requested_at = @now, finished_at = NULL`,
			map[string]any{"id": id, "seq": heads[0].Seq, "base": heads[0].SnapshotBase + heads[0].PurgedSeq, "oidc": passwordHash == "", "now": now}).Error
		if err != nil {
			return err
		}
		if err := revokeAll(tx, accounts.RevokedUser, id, now, []string{id}); err != nil {
			return err
		}
		return record(tx, id, nil) // the end of the account is the end of its sessions
	})
	if err != nil {
		return fmt.Errorf("delete account: %w", err)
	}
	select {
	case s.ended <- struct{}{}:
	default: // a signal is pending already
	}
	return nil
}

// AccountDeleted implements tasks.Deletions.
func (s *Store) AccountDeleted() <-chan struct{} { return s.ended }

// deletion is a row of account_deletions.
type deletion struct {
	UserID       string
	Seq          int64
	SnapshotBase int64 // the value that a purge of all tasks would set
	OIDC         bool  `gorm:"column:oidc"`
	RequestedAt  time.Time
	FinishedAt   *time.Time
}

// DeletionStep implements tasks.Deletions. It removes tasks with their events first, then the change log, then the keys,
// and last it finishes the deletion. Each step reads from the tables what is left to remove.
func (s *Store) DeletionStep(ctx context.Context, skip []string, deleted func(publish.Tx, domain.Task, int64) error) (userID string, err error) {
	err = s.outbox.InTx(ctx, func(tx *outbox.Tx) error {
		var rows []deletion
		unfinished := tx.Table("account_deletions").Where("finished_at IS NULL")
		if len(skip) > 0 {
			unfinished = unfinished.Where("user_id NOT IN ?", skip)
		}
		err := unfinished.Order("requested_at").Limit(1).Clauses(clause.Locking{Strength: "UPDATE", Options: "SKIP LOCKED"}).Find(&rows).Error
		if err != nil {
			return fmt.Errorf("find an unfinished deletion: %w", err)
		}
		if len(rows) == 0 {
			return nil
		}
		d := rows[0]
		userID = d.UserID
		done, err := removeTasks(tx, d, deleted)
		if err != nil || !done {
			return err
		}
		for _, table := range []string{"changes", "idempotency_keys"} {
			res := tx.Exec(`DELETE FROM `+table+` WHERE ctid = ANY (ARRAY(SELECT ctid FROM `+table+` WHERE user_id = ? LIMIT ?))`, d.UserID, pruneBatch)
			if res.Error != nil {
				return fmt.Errorf("remove %s of user %s: %w", table, d.UserID, res.Error)
			}
			if res.RowsAffected > 0 {
				return nil
			}
		}
		end := `DELETE FROM account_deletions WHERE user_id = ?`
		if d.OIDC {
			end = `UPDATE account_deletions SET finished_at = now() WHERE user_id = ?`
		}
		if err := tx.Exec(end, d.UserID).Error; err != nil {
			return fmt.Errorf("finish the deletion of user %s: %w", d.UserID, err)
		}
		return nil
	})
	return userID, err
}

// removeTasks removes the next tasks of a deleted account. It reports whether there was none to remove.
func removeTasks(tx *outbox.Tx, d deletion, deleted func(publish.Tx, domain.Task, int64) error) (done bool, err error) {
	var rows []taskRow
	if err := tx.Select(taskColumns).Where("user_id = ?", d.UserID).Order("seq").Limit(deletionBatch).Find(&rows).Error; err != nil {
		return false, fmt.Errorf("read tasks of user %s: %w", d.UserID, err)
	}
	if len(rows) == 0 {
		return true, nil
	}
	ids := make([]string, len(rows))
	seq := d.Seq
	for i, row := range rows {
		ids[i] = row.ID
		if row.DeletedAt != nil {
			continue // the events were published when the user deleted the task
		}
		seq++
		if err := deleted(tx, row.task(), seq); err != nil {
			return false, err
		}
	}
	if err := tx.Exec(`DELETE FROM tasks WHERE user_id = ? AND id IN ?`, d.UserID, ids).Error; err != nil {
		return false, fmt.Errorf("remove tasks of user %s: %w", d.UserID, err)
	}
	if err := tx.Exec(`UPDATE account_deletions SET seq = ? WHERE user_id = ?`, seq, d.UserID).Error; err != nil {
		return false, fmt.Errorf("store the newest seq of user %s: %w", d.UserID, err)
	}
	return false, nil
}
