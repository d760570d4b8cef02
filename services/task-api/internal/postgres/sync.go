package postgres

// This file decides where a page of a sync ends, and which clients must start over because tombstones were purged.

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/taskwire/taskwire/services/task-api/internal/tasks"
	"gorm.io/gorm"
)

// snapshot makes all statements of a transaction read the same state.
var snapshot = &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}

// Sync implements tasks.Reader.
//
// After a purge of tombstones, a client with an older seq may have tasks whose deletion it can no longer learn about. It
// gets tasks.ErrTooOld. A client that began at 0 after the purge has no such task and may continue. So while its pages
// are below purged_seq, Next is negative. It marks a place in a snapshot: -(snapshot_base + seq). The next purge may
// remove tasks that earlier pages of the snapshot contained, so it raises snapshot_base above all such places, and the
// client gets tasks.ErrTooOld.
func (s *Store) Sync(ctx context.Context, userID string, since int64, limit int) (tasks.SyncPage, error) {
	page := tasks.SyncPage{}
	err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		user, err := readHead(tx, userID)
		if err != nil {
			return err
		}
		from, fromStart := since, since <= 0
		switch {
		case since < 0:
			from = -since - user.SnapshotBase
		case since > 0 && since < user.PurgedSeq:
			return tasks.ErrTooOld
		}
		if from < 0 || from > user.Seq {
			return tasks.ErrTooOld
		}
		rows, more, err := s.syncRows(tx, userID, from, limit)
		if err != nil {
			return err
		}
		if page.Next = user.Seq; more {
			page.HasMore, page.Next = true, rows[len(rows)-1].Seq
			if fromStart && page.Next < user.PurgedSeq {
				page.Next = -(user.SnapshotBase + page.Next)
			}
		}
		page.Tasks = domainTasks(rows)
		return nil
	}, snapshot)
	if err != nil {
		return tasks.SyncPage{}, fmt.Errorf("sync: %w", err)
	}
	return page, nil
}

// usualSyncBytes bounds the texts of a page of a sync, so that the longest texts make more pages instead of a larger answer. A
// page of usual tasks is far smaller.
const usualSyncBytes = 4 << 20

// syncRows reads the first rows after a seq: at most limit, and so many that their texts fit the bound. It reads at least
// one, and reports whether there are more. It first reads the sizes only, which does not unpack the texts.
func (s *Store) syncRows(tx *gorm.DB, userID string, from int64, limit int) (rows []taskRow, more bool, err error) {
	var end struct {
		Last        int64 // the seq of the last row of the page
		Found, Fits int   // the rows up to limit+1, and those in the page
	}
	err = tx.Raw(`SELECT coalesce(max(seq) FILTER (WHERE fits), 0) AS last, count(*) AS found, count(*) FILTER (WHERE fits) AS fits FROM (
			SELECT seq, row_number() OVER w <= ? AND sum(size) OVER w - size < ? AS fits FROM (
				SELECT seq, octet_length(title) + octet_length(description) + pg_column_size(tags) AS size
				FROM tasks WHERE user_id = ? AND seq > ? ORDER BY seq LIMIT ?
			) AS sizes WINDOW w AS (ORDER BY seq)
		) AS page`, limit, s.syncBytes, userID, from, limit+1).Scan(&end).Error
	if err != nil || end.Found == 0 {
		return nil, false, err
	}
	err = tx.Select(taskColumns).Where("user_id = ? AND seq > ? AND seq <= ?", userID, from, end.Last).Order("seq").Find(&rows).Error
	return rows, end.Found > end.Fits, err
}

// headRow is a row of heads.
type headRow struct {
	UserID                                    string
	Seq, ChangesFrom, PurgedSeq, SnapshotBase int64
}

// TableName implements gorm's Tabler.
func (headRow) TableName() string { return "heads" }

func readHead(tx *gorm.DB, userID string) (headRow, error) {
	var rows []headRow
	if err := tx.Where("user_id = ?", userID).Limit(1).Find(&rows).Error; err != nil {
		return headRow{}, fmt.Errorf("read head: %w", err)
	}
	if len(rows) == 0 {
		return headRow{}, tasks.ErrNoUser
	}
	return rows[0], nil
}
