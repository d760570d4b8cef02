package postgres

// This file decides in SQL which event of a task is the newest, and stores the reminder.

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/taskwire/taskwire/services/notification/internal/domain"
)

// upsert stores the reminder of an event if the event is newer than the newest known one. Two events with versions are
// ordered by version. When one has the original form, without a version, their timestamps decide. An instant that was
// delivered already is not scheduled again: a new title or a reopened task causes no second reminder.
const upsert = `
INSERT INTO reminders AS r (task_id, user_id, title, due_at, remind_at, deliver_at, task_version, event_at, state, due_date, timezone)
VALUES ($1, $2, $3, $4, $5, $5, $6, $7, $8, nullif($9, '')::date, nullif($10, ''))
ON CONFLICT (task_id) DO UPDATE SET
    user_id      = excluded.user_id,
    title        = excluded.title,
    due_at       = excluded.due_at,
    due_date     = excluded.due_date,
    timezone     = excluded.timezone,
    remind_at    = excluded.remind_at,
    deliver_at   = excluded.deliver_at,
    task_version = greatest(r.task_version, excluded.task_version),
    event_at     = greatest(r.event_at, excluded.event_at),
    state        = CASE WHEN excluded.state = 'scheduled' AND r.sent_for = excluded.remind_at THEN 'sent' ELSE excluded.state END
WHERE CASE WHEN r.task_version > 0 AND excluded.task_version > 0
           THEN excluded.task_version > r.task_version
           ELSE excluded.event_at > r.event_at END
RETURNING state`

// keepZone stores the user's zone as the newest event names it, whatever the task of that event is.
const keepZone = `
INSERT INTO zones AS z (user_id, timezone, event_at) VALUES ($1, $2, $3)
ON CONFLICT (user_id) DO UPDATE SET timezone = excluded.timezone, event_at = excluded.event_at WHERE excluded.event_at >= z.event_at`

// endSnoozes ends the snoozes of a task whose reminder was cancelled or moved.
const endSnoozes = `UPDATE notifications SET snoozed_until = NULL WHERE task_id = $1 AND snoozed_until IS NOT NULL`

var outcomes = map[string]domain.Outcome{
	"scheduled": domain.Scheduled,
	"sent":      domain.Delivered,
	"cancelled": domain.Cancelled,
}

// Apply stores r as the reminder of its task in the transaction tx, unless a newer event is known, and the zone of its user.
// The row of the zone is the last that it locks.
func (s *Store) Apply(ctx context.Context, tx *gorm.DB, r domain.Reminder) (domain.Outcome, error) {
	outcome, err := store(ctx, tx, r)
	if err != nil {
		return 0, err
	}
	if r.Timezone != "" {
		if _, err := conn(tx).ExecContext(ctx, keepZone, r.UserID, r.Timezone, r.EventAt); err != nil {
			return 0, fmt.Errorf("store the zone of user %s: %w", r.UserID, err)
		}
	}
	return outcome, nil
}

func store(ctx context.Context, tx *gorm.DB, r domain.Reminder) (domain.Outcome, error) {
	state := "scheduled"
	if r.Cancelled {
		state = "cancelled"
	}
	err := conn(tx).QueryRowContext(ctx, upsert, r.TaskID, r.UserID, r.Title, nullTime(r.DueAt), nullTime(r.RemindAt),
		r.TaskVersion, r.EventAt, state, r.DueDate, r.Timezone).Scan(&state)
	if errors.Is(err, sql.ErrNoRows) {
		return domain.Stale, nil
	}
	if err != nil {
		return 0, fmt.Errorf("store the reminder of task %s: %w", r.TaskID, err)
	}
	outcome := outcomes[state]
	if outcome == domain.Delivered {
		return outcome, nil
	}
	if _, err := conn(tx).ExecContext(ctx, endSnoozes, r.TaskID); err != nil {
		return 0, fmt.Errorf("end the snoozes of task %s: %w", r.TaskID, err)
	}
	return outcome, nil
}

// NextDue implements domain.DueStore.
func (s *Store) NextDue(ctx context.Context) (time.Time, bool, error) {
	var next sql.NullTime
	err := conn(s.db.WithContext(ctx)).QueryRowContext(ctx, `
		SELECT least((SELECT min(deliver_at) FROM reminders WHERE state = 'scheduled'),
		             (SELECT min(snoozed_until) FROM notifications WHERE snoozed_until IS NOT NULL))`).Scan(&next)
	if err != nil {
		return time.Time{}, false, fmt.Errorf("look for the next reminder: %w", err)
	}
	return next.Time.UTC(), next.Valid, nil
}

func nullTime(t time.Time) sql.NullTime { return sql.NullTime{Time: t, Valid: !t.IsZero()} }

// dateText returns a day as YYYY-MM-DD, and null as "".
func dateText(day sql.NullTime) string {
	if !day.Valid {
		return ""
	}
	return day.Time.Format(time.DateOnly)
}

func timePtr(t sql.NullTime) *time.Time {
	if !t.Valid {
		return nil
	}
	utc := t.Time.UTC()
	return &utc
}
