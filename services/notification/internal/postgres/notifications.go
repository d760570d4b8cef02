package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/taskwire/taskwire/services/notification/internal/domain"
)

const columns = `id, user_id, task_id, kind, title, body, due_at, late, created_at, read_at, snoozed_until`

type scanner interface{ Scan(dest ...any) error }

func scanNotification(row scanner, n *domain.Notification) error {
	var due, read, snoozed sql.NullTime
	err := row.Scan(&n.ID, &n.UserID, &n.TaskID, &n.Kind, &n.Title, &n.Body, &due, &n.Late, &n.CreatedAt, &read, &snoozed)
	n.CreatedAt, n.DueAt, n.ReadAt, n.SnoozedUntil = n.CreatedAt.UTC(), timePtr(due), timePtr(read), timePtr(snoozed)
	return err
}

// List implements domain.MailboxStore.
func (s *Store) List(ctx context.Context, f domain.Filter, limit int) ([]domain.Notification, error) {
	query, args := `SELECT `+columns+` FROM notifications WHERE user_id = $1`, []any{f.UserID}
	if f.Unread != nil {
		query += map[bool]string{true: ` AND read_at IS NULL`, false: ` AND read_at IS NOT NULL`}[*f.Unread]
	}
	if f.After != nil {
		query += ` AND (created_at, id) < ($3, $4)`
	}
	query += ` ORDER BY created_at DESC, id DESC LIMIT $2`
	args = append(args, limit)
	if f.After != nil {
		args = append(args, f.After.CreatedAt, f.After.ID)
	}
	return collect(ctx, s.db.WithContext(ctx), "list notifications",
		func(rows *sql.Rows, n *domain.Notification) error { return scanNotification(rows, n) }, query, args...)
}

// MarkRead implements domain.MailboxStore.
func (s *Store) MarkRead(ctx context.Context, userID, id string, at time.Time) (domain.Notification, error) {
	return one(ctx, s.db.WithContext(ctx), "mark notification as read", `
		UPDATE notifications SET read_at = coalesce(read_at, $3) WHERE id = $1 AND user_id = $2 RETURNING `+columns, id, userID, at)
}

// Snooze implements domain.MailboxStore. It locks the task's reminder while it reads and writes. So a cancellation commits
// before and is seen, or it commits after and ends the snooze.
func (s *Store) Snooze(ctx context.Context, userID, id string, until, at time.Time) (domain.Notification, error) {
	var n domain.Notification
	err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var cancelled bool
		err := conn(tx).QueryRowContext(ctx, `
			SELECT r.state = 'cancelled' FROM reminders r
			WHERE r.task_id = (SELECT task_id FROM notifications WHERE id = $1 AND user_id = $2) FOR SHARE`, id, userID).Scan(&cancelled)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return domain.ErrNotFound
		case err != nil:
			return err
		case cancelled:
			return domain.ErrTaskDone
		}
		n, err = one(ctx, tx, "snooze", `
			UPDATE notifications SET snoozed_until = $3, read_at = coalesce(read_at, $4)
			WHERE id = $1 AND user_id = $2 RETURNING `+columns, id, userID, until, at)
		return err
	})
	if err != nil {
		return domain.Notification{}, fmt.Errorf("snooze notification %s: %w", id, err)
	}
	return n, nil
}

func one(ctx context.Context, tx *gorm.DB, what, query string, args ...any) (domain.Notification, error) {
	var n domain.Notification
	err := scanNotification(conn(tx).QueryRowContext(ctx, query, args...), &n)
	if errors.Is(err, sql.ErrNoRows) {
		err = domain.ErrNotFound
	}
	if err != nil {
		return domain.Notification{}, fmt.Errorf("%s: %w", what, err)
	}
	return n, nil
}

// Deliveries implements domain.MailboxStore.
func (s *Store) Deliveries(ctx context.Context, userID, id string) ([]domain.Delivery, error) {
	tx := s.db.WithContext(ctx)
	if _, err := one(ctx, tx, "deliveries", `SELECT `+columns+` FROM notifications WHERE id = $1 AND user_id = $2`, id, userID); err != nil {
		return nil, err
	}
	return collect(ctx, tx, "deliveries", func(rows *sql.Rows, d *domain.Delivery) error {
		err := rows.Scan(&d.Channel, &d.State, &d.Attempts, &d.LastError, &d.At)
		d.At = d.At.UTC()
		return err
	}, `SELECT channel, state, attempts, last_error, at FROM deliveries WHERE notification_id = $1 ORDER BY channel`, id)
}
