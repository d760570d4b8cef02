package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/outbox"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/publish"
	"gorm.io/gorm"
)

// SuccessorRequest asks for the task that follows a completed one.
type SuccessorRequest struct {
	Completed events.TaskData // as it was when it was completed
	Next      domain.Next
	Actor     string
	Causation string // the event of the completion
}

// CreateSuccessor makes the occurrence after a completed one, or returns it when it is there already, and says which.
// However often and from wherever it is asked, there is one: the user's lock puts the requests one after the other,
// and UNIQUE (series_id, occurrence_no) would refuse a second one.
//
// domain.ErrNotFound: there is no such task in this series. domain.ErrSeriesEnded: it was deleted.
func (s *Store) CreateSuccessor(ctx context.Context, r SuccessorRequest) (domain.Task, bool, error) {
	var task domain.Task
	err := s.outbox.InTx(ctx, func(tx *outbox.Tx) error {
		user, err := nextSeq(tx.DB, r.Completed.UserID)
		if errors.Is(err, ErrNoUser) {
			return domain.ErrNotFound
		}
		if err != nil {
			return err
		}
		stored, err := find(tx.DB, r.Completed.UserID, r.Completed.ID)
		switch {
		case err != nil:
			return err
		case stored.SeriesID != r.Completed.SeriesID || stored.OccurrenceNo != r.Completed.OccurrenceNo || stored.SeriesID == "":
			return domain.ErrNotFound
		}
		task, err = occurrence(tx.DB, stored.SeriesID, stored.OccurrenceNo+1)
		if !errors.Is(err, domain.ErrNotFound) {
			if err == nil {
				return errUnchanged
			}
			return err
		}
		done := asCompleted(stored, r.Completed)
		task, err = s.insertSuccessor(ctx, tx, done, r.Next, user.Seq, publish.Change{Actor: r.Actor, Causation: r.Causation})
		return err
	})
	if errors.Is(err, errUnchanged) {
		return task, false, nil
	}
	return task, err == nil, err
}

// asCompleted is the task as the event tells it, so that the successor does not depend on how late the event comes,
// with what only the database knows.
func asCompleted(stored domain.Task, event events.TaskData) domain.Task {
	done := domain.Task{TaskData: event}
	done.DeletedAt = stored.DeletedAt
	if stored.DueAt != nil && event.DueAt != nil && stored.DueAt.Equal(*event.DueAt) {
		done.DueClock = stored.DueClock
	}
	if stored.RemindAt != nil && event.RemindAt != nil && stored.RemindAt.Equal(*event.RemindAt) {
		done.RemindClock = stored.RemindClock
	}
	return done
}

func (s *Store) insertSuccessor(ctx context.Context, tx *outbox.Tx, done domain.Task, next domain.Next, seq int64, c publish.Change) (domain.Task, error) {
	t, err := domain.Successor(done, next, s.now())
	if err != nil {
		return domain.Task{}, err
	}
	t.Version, t.Seq = 1, seq
	return t, s.insert(ctx, tx, t, c)
}

// occurrence reads one occurrence of a series, a tombstone too, or returns domain.ErrNotFound.
func occurrence(tx *gorm.DB, seriesID string, no int) (domain.Task, error) {
	var rows []taskRow
	if err := tx.Select(taskColumns).Where("series_id = ? AND occurrence_no = ?", seriesID, no).Limit(1).Find(&rows).Error; err != nil {
		return domain.Task{}, fmt.Errorf("read occurrence %d of series %s: %w", no, seriesID, err)
	}
	if len(rows) == 0 {
		return domain.Task{}, domain.ErrNotFound
	}
	return rows[0].task(), nil
}

// Skip leaves out this occurrence of a recurring task and makes the next one, in one transaction: the task becomes
// cancelled, and its successor is the one that the recurrence engine would make, with the same id. If the engine made
// it before (the task was completed and reopened) it stays as it is. Skipping a skipped task changes nothing.
func (s *Store) Skip(ctx context.Context, userID, taskID string, ifMatch *Versions) (domain.Task, error) {
	var task domain.Task
	err := s.outbox.InTx(ctx, func(tx *outbox.Tx) error {
		before, d, err := s.lockTask(tx, userID, taskID, false)
		if err != nil {
			return err
		}
		if !ifMatch.accept(before.Version) {
			return domain.ErrStale
		}
		skipped, next, more, err := domain.Skip(before, d.Now)
		if err != nil {
			return err
		}
		c := publish.Change{Actor: userID}
		if task, err = s.update(ctx, tx, before, skipped, d, c); err != nil || !more {
			return err
		}
		_, err = occurrence(tx.DB, task.SeriesID, task.OccurrenceNo+1)
		if !errors.Is(err, domain.ErrNotFound) {
			return err
		}
		user, err := nextSeq(tx.DB, userID)
		if err != nil {
			return err
		}
		_, err = s.insertSuccessor(ctx, tx, before, next, user.Seq, c)
		return err
	})
	if errors.Is(err, errUnchanged) {
		err = nil
	}
	return task, err
}
