package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/outbox"
	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/publish"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

const (
	// deletionBatch bounds the tasks that one transaction removes, each with up to three events.
	deletionBatch = 500
	// deletionLook is how often unfinished deletions are looked for: those of a replica that died, and those that failed.
	deletionLook = 30 * time.Second
)

// DeleteUser implements accounts.Store. The account is gone with this transaction: its row, its log-ins, and its row in
// heads, without which nobody can write or read, or have an Idempotency-Key answered. What may be large, tasks, change
// log and keys, is put in line.
func (s *Store) DeleteUser(ctx context.Context, id, passwordHash string, now time.Time) error {
	err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		// The user's lock first, as every writer takes it: a write either committed before, and its task is removed, or
		// finds no user.
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
		return tx.Exec(`INSERT INTO account_deletions (user_id, seq, snapshot_base, oidc, requested_at) VALUES (@id, @seq, @base, @oidc, @now)
			ON CONFLICT (user_id) DO UPDATE SET seq = @seq, snapshot_base = @base, oidc = @oidc, requested_at = @now, finished_at = NULL`,
			map[string]any{"id": id, "seq": heads[0].Seq, "base": heads[0].SnapshotBase + heads[0].PurgedSeq, "oidc": passwordHash == "", "now": now}).Error
	})
	if err != nil {
		return fmt.Errorf("delete account: %w", err)
	}
	select {
	case s.ended <- struct{}{}:
	default: // a look is due already
	}
	return nil
}

// RunDeletions removes the data of deleted accounts until ctx ends, soon after each deletion. What a process that died
// left unfinished is gone on with, by whichever replica looks first; several share the work.
func (s *Store) RunDeletions(ctx context.Context, log *slog.Logger) error {
	tick := time.NewTicker(deletionLook)
	defer tick.Stop()
	for {
		if err := s.FinishDeletions(ctx); err != nil && ctx.Err() == nil {
			log.WarnContext(ctx, "could not remove the data of a deleted account; trying again later", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.ended:
		case <-tick.C:
		}
	}
}

// FinishDeletions removes what is left of all deleted accounts that no other replica works on. One that fails does not
// keep the others waiting; the errors of all are returned.
func (s *Store) FinishDeletions(ctx context.Context) error {
	var failed []string
	var errs []error
	for {
		userID, err := s.deletionStep(ctx, failed)
		switch {
		case userID == "":
			return errors.Join(append(errs, err)...)
		case err != nil:
			failed, errs = append(failed, userID), append(errs, err)
		}
	}
}

// deletion is a row of account_deletions.
type deletion struct {
	UserID       string
	Seq          int64
	SnapshotBase int64 // as after a purge of all tasks
	OIDC         bool  `gorm:"column:oidc"`
	RequestedAt  time.Time
	FinishedAt   *time.Time
}

// deletionStep does one bounded part of one deletion, in one transaction, and returns whose; "" where none is left but
// those of the users in skip. The order is: tasks with their events, the change log and the keys, the end. Each step begins with what
// the tables say is left, so that a crash between two steps loses and repeats nothing.
func (s *Store) deletionStep(ctx context.Context, skip []string) (userID string, err error) {
	err = s.outbox.InTx(ctx, func(tx *outbox.Tx) error {
		var rows []deletion
		unfinished := tx.Table("account_deletions").Where("finished_at IS NULL")
		if len(skip) > 0 {
			unfinished = unfinished.Where("user_id NOT IN ?", skip)
		}
		err := unfinished.Order("requested_at").Limit(1).Clauses(clause.Locking{Strength: "UPDATE", Options: "SKIP LOCKED"}).Find(&rows).Error
		if err != nil {
			return fmt.Errorf("find a deletion: %w", err)
		}
		if len(rows) == 0 {
			return nil
		}
		d := rows[0]
		userID = d.UserID
		done, err := s.removeTasks(ctx, tx, d)
		if err != nil || !done {
			return err
		}
		for _, table := range []string{"changes", "idempotency_keys"} {
			res := tx.Exec(`DELETE FROM `+table+` WHERE ctid = ANY (ARRAY(SELECT ctid FROM `+table+` WHERE user_id = ? LIMIT ?))`, d.UserID, maintainBatch)
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

// removeTasks removes the next tasks of a deleted account, and says of each that was there that it is deleted. done
// says that there was none left.
func (s *Store) removeTasks(ctx context.Context, tx *outbox.Tx, d deletion) (done bool, err error) {
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
			continue // its events are out
		}
		seq++
		if err := s.tellDeleted(ctx, tx, row.task(), seq); err != nil {
			return false, err
		}
	}
	if err := tx.Exec(`DELETE FROM tasks WHERE user_id = ? AND id IN ?`, d.UserID, ids).Error; err != nil {
		return false, fmt.Errorf("remove tasks of user %s: %w", d.UserID, err)
	}
	if err := tx.Exec(`UPDATE account_deletions SET seq = ? WHERE user_id = ?`, seq, d.UserID).Error; err != nil {
		return false, fmt.Errorf("count changes of user %s: %w", d.UserID, err)
	}
	return false, nil
}

// tellDeleted makes the events of a task that goes with its account: the same as when its user deletes it.
func (s *Store) tellDeleted(ctx context.Context, tx *outbox.Tx, before domain.Task, seq int64) error {
	now := notBefore(s.now(), before.UpdatedAt)
	after, err := domain.Delete(before, now)
	if err != nil {
		return err
	}
	after.Version, after.Seq, after.UpdatedAt = before.Version+1, seq, domain.Instant(now)
	_, err = s.publish(ctx, tx, &before, publish.Change{
		Task: after, Type: events.Deleted, Changes: domain.Diff(before, after), Actor: before.UserID,
	})
	return err
}
