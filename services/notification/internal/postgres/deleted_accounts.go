package postgres

import (
	"context"
	"database/sql"
	"fmt"

	"gorm.io/gorm"
)

// nextUsers reads each user with one step in the indexes. So its cost depends on the number of users, not of their rows.
const nextUsers = `
WITH RECURSIVE u (id) AS (
    SELECT $1::uuid
    UNION ALL
    SELECT least((SELECT user_id FROM reminders WHERE user_id > u.id ORDER BY user_id LIMIT 1),
                 (SELECT user_id FROM notifications WHERE user_id > u.id ORDER BY user_id LIMIT 1),
                 (SELECT user_id FROM preferences WHERE user_id > u.id ORDER BY user_id LIMIT 1),
                 (SELECT user_id FROM zones WHERE user_id > u.id ORDER BY user_id LIMIT 1),
                 (SELECT user_id FROM heads WHERE user_id > u.id ORDER BY user_id LIMIT 1))
    FROM u WHERE u.id IS NOT NULL)
SELECT id FROM u WHERE id IS NOT NULL OFFSET 1 LIMIT $2`

// Users implements domain.UserData.
func (s *Store) Users(ctx context.Context, after string, limit int) ([]string, error) {
	scan := func(rows *sql.Rows, id *string) error { return rows.Scan(id) }
	return collect(ctx, s.db.WithContext(ctx), "users", scan, nextUsers, after, limit)
}

// removeBatch bounds the rows of one statement, which then takes far less than the statement timeout.
const removeBatch = 1000

// RemoveUser implements domain.UserData. It removes the rows of each table in bounded steps, each in its own transaction.
// After a failure, the next call removes the rest. Deliveries are removed with their notifications. The head is last and goes
// together with the rest of the log: a reminder that arrives later begins a log with the number 1.
func (s *Store) RemoveUser(ctx context.Context, userID string) error {
	db := conn(s.db.WithContext(ctx))
	if _, err := db.ExecContext(ctx, `UPDATE heads SET changes_from = seq + 1 WHERE user_id = $1`, userID); err != nil {
		return fmt.Errorf("end the log of user %s: %w", userID, err)
	}
	for _, table := range []string{"reminders", "notifications", "preferences", "zones", "changes"} {
		for {
			res, err := db.ExecContext(ctx, `DELETE FROM `+table+` WHERE ctid = ANY (ARRAY(SELECT ctid FROM `+table+` WHERE user_id = $1 LIMIT $2))`, userID, removeBatch)
			if err != nil {
				return fmt.Errorf("remove %s of user %s: %w", table, userID, err)
			}
			n, err := res.RowsAffected()
			if err != nil {
				return fmt.Errorf("remove %s of user %s: %w", table, userID, err)
			}
			if n < removeBatch {
				break
			}
		}
	}
	err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		for _, query := range []string{
			`SELECT FROM heads WHERE user_id = $1 FOR UPDATE`, `DELETE FROM changes WHERE user_id = $1`, `DELETE FROM heads WHERE user_id = $1`,
		} {
			if _, err := conn(tx).ExecContext(ctx, query, userID); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("remove the head of user %s: %w", userID, err)
	}
	return nil
}
