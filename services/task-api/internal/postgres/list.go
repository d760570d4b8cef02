package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"gorm.io/gorm"
)

// orders are the expressions that a list is ordered by, with the type a place is read back as. The expression of due
// puts tasks without a due date last: at the end of time, or before it began.
var orders = map[domain.Sort]struct{ asc, desc, typ string }{
	domain.SortCreatedAt: {"created_at", "created_at", "timestamptz"},
	domain.SortUpdatedAt: {"updated_at", "updated_at", "timestamptz"},
	domain.SortDue:       {"coalesce(due_instant, 'infinity')", "coalesce(due_instant, '-infinity')", "timestamptz"},
	domain.SortPriority:  {"priority", "priority", "smallint"},
	domain.SortTitle:     {`lower(title) COLLATE "C"`, `lower(title) COLLATE "C"`, "text"},
	domain.SortPosition:  {"position", "position", "double precision"},
}

// List returns a page of the user's tasks, and the place it ends at when there are more.
func (s *Store) List(ctx context.Context, userID string, q domain.Query) ([]domain.Task, *domain.Place, error) {
	order, ok := orders[q.Sort]
	if !ok {
		return nil, nil, fmt.Errorf("list tasks: no order %q", q.Sort)
	}
	key, direction, beyond := order.asc, "", ">"
	if q.Descending {
		key, direction, beyond = order.desc, " DESC", "<"
	}
	tx := s.filter(s.db.WithContext(ctx).Table("tasks"), userID, q)
	if q.After != nil {
		tx = tx.Where("("+key+", id) "+beyond+" (CAST(? AS "+order.typ+"), CAST(? AS uuid))", q.After.Key, q.After.ID)
	}
	var rows []struct {
		Row     taskRow `gorm:"embedded"`
		SortKey string
	}
	err := tx.Select("*, CAST(" + key + " AS text) AS sort_key").Order(key + direction + ", id" + direction).Limit(q.Limit + 1).Find(&rows).Error
	if err != nil {
		return nil, nil, fmt.Errorf("list tasks: %w", err)
	}
	var end *domain.Place
	if len(rows) > q.Limit {
		rows = rows[:q.Limit]
		last := rows[q.Limit-1]
		end = &domain.Place{Key: last.SortKey, ID: last.Row.ID}
	}
	list := make([]domain.Task, len(rows))
	for i, r := range rows {
		list[i] = r.Row.task()
	}
	return list, end, nil
}

// filter adds the conditions of a query. Deleted tasks are never listed.
func (s *Store) filter(tx *gorm.DB, userID string, q domain.Query) *gorm.DB {
	tx = tx.Where("user_id = ? AND deleted_at IS NULL", userID)
	if len(q.Statuses) > 0 {
		tx = tx.Where("status IN ?", q.Statuses)
	}
	if len(q.Priorities) > 0 {
		ranks := make([]int, len(q.Priorities))
		for i, p := range q.Priorities {
			ranks[i] = slices.Index(events.Priorities(), p) + 1
		}
		tx = tx.Where("priority IN ?", ranks)
	}
	if len(q.Tags) > 0 {
		tx = tx.Where("tags @> ?", tagList(q.Tags))
	}
	if q.Search != "" {
		pattern := "%" + likeEscaper.Replace(q.Search) + "%"
		tx = tx.Where("(title ILIKE ? OR description ILIKE ? OR EXISTS (SELECT FROM jsonb_array_elements_text(tags) AS tag WHERE tag ILIKE ?))", pattern, pattern, pattern)
	}
	if q.DueBefore != nil {
		tx = tx.Where("due_instant < ?", *q.DueBefore)
	}
	if q.DueAfter != nil {
		tx = tx.Where("due_instant >= ?", *q.DueAfter)
	}
	if q.UpdatedSince != nil {
		tx = tx.Where("updated_at >= ?", *q.UpdatedSince)
	}
	if q.Overdue != nil {
		condition := "(due_instant < ? AND status IN ('pending', 'in_progress'))"
		if !*q.Overdue {
			condition = "coalesce(due_instant < ? AND status IN ('pending', 'in_progress'), false) = false"
		}
		tx = tx.Where(condition, s.now())
	}
	return tx
}

// likeEscaper takes the characters that mean something to LIKE as they are.
var likeEscaper = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)
