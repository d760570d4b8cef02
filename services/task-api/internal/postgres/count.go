package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

// TagCount is a tag and how many of the user's tasks have it.
type TagCount struct {
	Tag   string `json:"tag"`
	Count int64  `json:"count"`
}

// Tags counts the tags of the user's tasks, the most used first.
func (s *Store) Tags(ctx context.Context, userID string) ([]TagCount, error) {
	list := []TagCount{}
	err := s.db.WithContext(ctx).Raw(`SELECT tag, count(*) AS count FROM tasks, jsonb_array_elements_text(tags) AS tag
		WHERE user_id = ? AND deleted_at IS NULL GROUP BY tag ORDER BY count DESC, tag COLLATE "C"`, userID).Scan(&list).Error
	if err != nil {
		return nil, fmt.Errorf("count tags: %w", err)
	}
	return list, nil
}

// Stats are counts over the user's tasks. Every status and priority is there, with 0 too.
type Stats struct {
	Total      int64            `json:"total"`
	ByStatus   map[string]int64 `json:"by_status"`
	ByPriority map[string]int64 `json:"by_priority"` // of the open tasks
	Overdue    int64            `json:"overdue"`
	DueIn24h   int64            `json:"due_in_24h"` // open and due within the next 24 hours
	Recurring  int64            `json:"recurring"`  // open and recurring
}

// Stats counts the user's tasks.
func (s *Store) Stats(ctx context.Context, userID string) (Stats, error) {
	var rows []struct {
		Status                      string
		Priority                    int
		N, Overdue, Soon, Recurring int64
	}
	now := s.now()
	err := s.db.WithContext(ctx).Raw(`SELECT status, priority, count(*) AS n,
			count(*) FILTER (WHERE due_instant < ?) AS overdue,
			count(*) FILTER (WHERE due_instant >= ? AND due_instant < ?) AS soon,
			count(*) FILTER (WHERE rrule IS NOT NULL) AS recurring
		FROM tasks WHERE user_id = ? AND deleted_at IS NULL GROUP BY status, priority`, now, now, now.Add(24*time.Hour), userID).Scan(&rows).Error
	if err != nil {
		return Stats{}, fmt.Errorf("count tasks: %w", err)
	}
	out := Stats{ByStatus: map[string]int64{}, ByPriority: map[string]int64{}}
	for _, status := range events.Statuses() {
		out.ByStatus[string(status)] = 0
	}
	for _, priority := range events.Priorities() {
		out.ByPriority[string(priority)] = 0
	}
	for _, r := range rows {
		out.Total += r.N
		out.ByStatus[r.Status] += r.N
		if s := events.Status(r.Status); s == events.StatusPending || s == events.StatusInProgress {
			out.ByPriority[string(events.Priorities()[r.Priority-1])] += r.N
			out.Overdue, out.DueIn24h, out.Recurring = out.Overdue+r.Overdue, out.DueIn24h+r.Soon, out.Recurring+r.Recurring
		}
	}
	return out, nil
}
