package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/fold"
	"github.com/taskwire/taskwire/services/task-api/internal/tasks"
)

// Tags implements tasks.Reader.
func (s *Store) Tags(ctx context.Context, userID string) ([]tasks.TagCount, error) {
	list := []tasks.TagCount{}
	err := s.db.WithContext(ctx).Raw(`SELECT tag, count(*) AS count FROM tasks, jsonb_array_elements_text(tags) AS tag
		WHERE user_id = ? AND deleted_at IS NULL GROUP BY tag ORDER BY count DESC, tag COLLATE "C"`, userID).Scan(&list).Error
	if err != nil {
		return nil, fmt.Errorf("count tags: %w", err)
	}
	return mergeTags(list), nil
}

// mergeTags adds up the spellings of each tag. list has the most frequent spelling first, which is the one that is shown.
func mergeTags(list []tasks.TagCount) []tasks.TagCount {
	merged, place := []tasks.TagCount{}, map[string]int{}
	for _, t := range list {
		folded := fold.Tag(t.Tag)
		if i, ok := place[folded]; ok {
			merged[i].Count += t.Count
			continue
		}
		place[folded] = len(merged)
		merged = append(merged, t)
	}
	slices.SortStableFunc(merged, func(a, b tasks.TagCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Tag, b.Tag))
	})
	return merged
}

// Stats implements tasks.Reader.
func (s *Store) Stats(ctx context.Context, userID string) (tasks.Stats, error) {
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
		return tasks.Stats{}, fmt.Errorf("count tasks: %w", err)
	}
	out := tasks.Stats{ByStatus: map[string]int64{}, ByPriority: map[string]int64{}}
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
