package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/outbox"
	"github.com/taskwire/taskwire/services/notification/internal/domain"
)

const columns = `id, user_id, task_id, seq, kind, title, body, due_date, due_at, late, created_at, read_at, snoozed_until`

type scanner interface{ Scan(dest ...any) error }

func scanNotification(row scanner, n *domain.Notification) error {
	var day, due, read, snoozed sql.NullTime
	err := row.Scan(&n.ID, &n.UserID, &n.TaskID, &n.Seq, &n.Kind, &n.Title, &n.Body, &day, &due, &n.Late, &n.CreatedAt, &read, &snoozed)
	n.CreatedAt, n.DueDate, n.DueAt, n.ReadAt, n.SnoozedUntil = n.CreatedAt.UTC(), dateText(day), timePtr(due), timePtr(read), timePtr(snoozed)
	return err
}

// List implements domain.MailboxStore. The items, the count and the number are of one moment.
func (s *Store) List(ctx context.Context, f domain.Filter, limit int) (domain.Listing, error) {
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
	var list domain.Listing
	err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) (err error) {
		if list.Seq, _, err = readHead(ctx, tx, f.UserID); err != nil {
			return err
		}
		if list.Unread, err = readUnread(ctx, tx, f.UserID); err != nil {
			return err
		}
		list.Items, err = collect(ctx, tx, "list notifications",
			func(rows *sql.Rows, n *domain.Notification) error { return scanNotification(rows, n) }, query, args...)
		return err
	}, snapshot)
	if err != nil {
		return domain.Listing{}, err
	}
	return list, nil
}

// MarkRead implements domain.MailboxStore.
func (s *Store) MarkRead(ctx context.Context, userID, id string, at time.Time) (domain.Notification, error) {
	var n domain.Notification
	err := s.outbox.InTx(ctx, func(tx *outbox.Tx) (err error) {
		if n, err = locked(ctx, tx.DB, userID, id); err != nil || n.ReadAt != nil {
			return err
		}
		return s.read(ctx, tx, &n, at)
	})
	if err != nil {
		return domain.Notification{}, fmt.Errorf("mark notification as read: %w", err)
	}
	return n, nil
}

// locked returns a notification and locks its row. Every change of a notification locks its row before the inbox.
func locked(ctx context.Context, tx *gorm.DB, userID, id string) (domain.Notification, error) {
	return one(ctx, tx, "lock", `SELECT `+columns+` FROM notifications WHERE id = $1 AND user_id = $2 FOR UPDATE`, id, userID)
}

// read marks an unread notification, whose row is locked, as read, as a change of its inbox.
func (s *Store) read(ctx context.Context, tx *outbox.Tx, n *domain.Notification, at time.Time) error {
	inboxes, err := lockInboxes(ctx, tx, []string{n.UserID})
	if err != nil {
		return err
	}
	n.ReadAt = &at
	if ev, err := domain.Event(*n, events.Read, at); err == nil { // else it never was an event either
		if err := inboxes.add(&ev, -1); err != nil {
			return err
		}
		n.Seq = ev.NotificationSeq
	}
	inboxes.save()
	_, err = conn(tx.DB).ExecContext(ctx, `UPDATE notifications SET read_at = $2, seq = $3 WHERE id = $1`, n.ID, at, n.Seq)
	return err
}

// Snooze implements domain.MailboxStore. It locks the task's reminder, so that a concurrent cancellation is serial with it.
// Snooze sees a cancellation that commits earlier. A cancellation that commits later ends the snooze.
func (s *Store) Snooze(ctx context.Context, userID, id string, until, at time.Time) (domain.Notification, error) {
	var n domain.Notification
	err := s.outbox.InTx(ctx, func(tx *outbox.Tx) error {
		var cancelled bool
		err := conn(tx.DB).QueryRowContext(ctx, `
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
		if n, err = locked(ctx, tx.DB, userID, id); err != nil {
			return err
		}
		if n.ReadAt == nil {
			if err := s.read(ctx, tx, &n, at); err != nil {
				return err
			}
		}
		n, err = one(ctx, tx.DB, "snooze", `UPDATE notifications SET snoozed_until = $2 WHERE id = $1 RETURNING `+columns, id, until)
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
