package postgres

import (
	"context"
	"database/sql"
	"fmt"
)

// nextUsers reads the users one after the other from the indexes; the number of rows of a user does not matter.
const nextUsers = `
WITH RECURSIVE u (id) AS (
    SELECT $1::uuid
    UNION ALL
    SELECT least((SELECT user_id FROM reminders WHERE user_id > u.id ORDER BY user_id LIMIT 1),
                 (SELECT user_id FROM notifications WHERE user_id > u.id ORDER BY user_id LIMIT 1),
                 (SELECT user_id FROM preferences WHERE user_id > u.id ORDER BY user_id LIMIT 1))
    FROM u WHERE u.id IS NOT NULL)
SELECT id FROM u WHERE id IS NOT NULL OFFSET 1 LIMIT $2`

// Users implements domain.UserData.
func (s *Store) Users(ctx context.Context, after string, limit int) ([]string, error) {
	scan := func(rows *sql.Rows, id *string) error { return rows.Scan(id) }
	return collect(ctx, s.db.WithContext(ctx), "users", scan, nextUsers, after, limit)
}

// removeBatch bounds the rows of one statement, which then takes far less than the statement timeout.
const removeBatch = 1000

// RemoveUser implements domain.UserData. It removes the rows of each table in bounded steps, each a transaction of its own.
// After a failure, the next call removes the rest. Deliveries are removed with their notifications.
func (s *Store) RemoveUser(ctx context.Context, userID string) error {
	db := conn(s.db.WithContext(ctx))
	for _, table := range []string{"reminders", "notifications", "preferences"} {
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
	return nil
}
