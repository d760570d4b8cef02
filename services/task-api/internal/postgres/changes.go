package postgres

// This file reads the change log and the users' newest seq.

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/taskwire/taskwire/services/task-api/internal/tasks"
	"gorm.io/gorm"
)

// Changes implements tasks.Reader.
func (s *Store) Changes(ctx context.Context, userID string, since int64, limit int) (tasks.ChangePage, error) {
	page := tasks.ChangePage{Items: []json.RawMessage{}}
	err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		user, err := readHead(tx, userID)
		if err != nil {
			return err
		}
		if page.Head = user.Seq; user.ChangesFrom > 1 {
			page.Oldest = user.ChangesFrom
		}
		if since < user.ChangesFrom-1 {
			return tasks.ErrTooOld
		}
		var rows []struct {
			Seq     int64
			Payload string
		}
		err = tx.Table("changes").Select("seq, payload").Where("user_id = ? AND seq > ?", userID, since).Order("seq").Limit(limit).Find(&rows).Error
		if err != nil {
			return err
		}
		for i, r := range rows {
			// The users' locks make a gap impossible. A client could not detect a gap, so this check fails instead.
			if want := since + int64(i) + 1; r.Seq != want {
				return fmt.Errorf("gap in the change log of user %s: got seq %d, want %d", userID, r.Seq, want)
			}
			page.Items = append(page.Items, json.RawMessage(r.Payload))
		}
		if page.EndedSessions, err = endedSessions(tx, userID, s.now()); err != nil {
			return err
		}
		page.HasMore = since+int64(len(rows)) < user.Seq
		return nil
	}, snapshot)
	if err != nil {
		return tasks.ChangePage{}, fmt.Errorf("read changes: %w", err)
	}
	return page, nil
}

// Heads implements tasks.Reader.
func (s *Store) Heads(ctx context.Context, userIDs []string) (map[string]int64, error) {
	var rows []headRow
	if err := s.db.WithContext(ctx).Select("user_id, seq").Where("user_id IN ?", userIDs).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read heads: %w", err)
	}
	out := make(map[string]int64, len(rows))
	for _, r := range rows {
		out[r.UserID] = r.Seq
	}
	return out, nil
}
