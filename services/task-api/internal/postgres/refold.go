package postgres

// This file makes the search terms of rows that an earlier version of the service wrote.

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"gorm.io/gorm"
)

// refoldBatch is the number of rows of one transaction. It holds their locks for some milliseconds.
const refoldBatch = 200

// refoldRow has what the search terms of a row are made of.
const refoldRow = `id, user_id, title, description, tags, status, priority, version`

// Refold implements tasks.Refolder. A row whose column folded differs from its version was written by a version of the
// service that folds in another way. The transaction takes only rows that nobody has locked, and waits for none. So it
// never delays a writer's lock behind another one, and two replicas share the work.
func (s *Store) Refold(ctx context.Context) (more bool, err error) {
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var rows []taskRow
		err := tx.Raw(`SELECT `+refoldRow+` FROM tasks WHERE folded IS DISTINCT FROM version LIMIT ? FOR NO KEY UPDATE SKIP LOCKED`, refoldBatch).Scan(&rows).Error
		if err != nil || len(rows) == 0 {
			return err
		}
		cells := make([][]any, len(rows))
		for i, r := range rows {
			cells[i] = []any{bytes(uuid.MustParse(r.ID)), r.searchTerms()} // the id is from a uuid column
		}
		for _, st := range refoldTasks.with(cells) {
			if _, err := tx.Statement.ConnPool.ExecContext(ctx, st.sql, st.args...); err != nil { // without gorm, which expands arrays
				return err
			}
		}
		more = true
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("make search terms again: %w", err)
	}
	return more, nil
}

var refoldTasks = newTemplate("c", []column{{"id", "uuid"}, {"search", "text"}}, func(from, _ string) string {
	return `UPDATE tasks t SET search = CAST(c.search AS tsvector), folded = t.version FROM ` + from + ` WHERE t.id = c.id`
})
