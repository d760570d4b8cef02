package postgres

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/taskwire/taskwire/services/task-api/internal/tasks"
	"gorm.io/gorm"
)

// snapshot makes several statements read the same state.
var snapshot = &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}

// Sync returns the tasks that changed after since, each as it is now. With HasMore false the client has everything up
// to Next, the user's newest seq.
//
// Once tombstones are purged, a client that comes with an older seq may hold tasks that are gone without a trace:
// tasks.ErrTooOld. One that began at 0 after the purge holds none of them and may go on, so as long as its pages are below the
// purge Next is negative, which marks a place in a snapshot: -(snapshot_base + seq). The next purge may remove what the
// snapshot has already given, so it moves snapshot_base beyond all such places. A client passes Next back as it is.
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
		var rows []taskRow
		if err := tx.Select(taskColumns).Where("user_id = ? AND seq > ?", userID, from).Order("seq").Limit(limit + 1).Find(&rows).Error; err != nil {
			return err
		}
		if page.Next = user.Seq; len(rows) > limit {
			rows = rows[:limit]
			page.HasMore, page.Next = true, rows[limit-1].Seq
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
