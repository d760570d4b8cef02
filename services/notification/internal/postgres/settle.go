package postgres

// This file writes the decisions of the engine: it claims due rows, asks for the decisions and writes all in one transaction.

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/taskwire/taskwire/pkg/platform/outbox"
	"github.com/taskwire/taskwire/services/notification/internal/domain"
)

// The claims lock the rows that they return until the transaction ends. They skip rows that another replica has locked.
const (
	claimReminders = `
SELECT '', r.task_id, r.user_id, r.title, r.due_date, r.due_at, r.timezone IS NULL, coalesce(z.timezone, ''), r.remind_at, r.deliver_at, r.task_version
FROM reminders r LEFT JOIN zones z ON z.user_id = r.user_id
WHERE r.state = 'scheduled' AND r.deliver_at <= $1 ORDER BY r.deliver_at LIMIT $2 FOR UPDATE OF r SKIP LOCKED`

	// A snoozed notification is delivered again with the current title and due date of its task.
	claimSnoozes = `
SELECT n.id, n.task_id, n.user_id, coalesce(r.title, n.title), CASE WHEN r.due_at IS NULL THEN n.due_date ELSE r.due_date END,
    coalesce(r.due_at, n.due_at), r.timezone IS NULL, coalesce(z.timezone, ''), n.snoozed_until, n.snoozed_until, 0
FROM notifications n LEFT JOIN reminders r ON r.task_id = n.task_id LEFT JOIN zones z ON z.user_id = n.user_id
WHERE n.snoozed_until <= $1 ORDER BY n.snoozed_until LIMIT $2 FOR UPDATE OF n SKIP LOCKED`

	// The preferences are read after the claim, in a separate statement. SavePreferences writes them first and then
	// touches the user's waiting reminders, so the later of the two transactions sees the earlier one.
	claimedPreferences = `
SELECT user_id, in_app, coalesce(quiet_start, ''), coalesce(quiet_end, ''), coalesce(quiet_timezone, '')
FROM preferences WHERE user_id = ANY($1::text[]::uuid[])`
)

// Settle implements domain.DueStore.
func (s *Store) Settle(ctx context.Context, now time.Time, limit int, decide func(domain.Due, domain.Preferences) domain.Decision) (domain.Settled, error) {
	var settled domain.Settled
	err := s.outbox.InTx(ctx, func(tx *outbox.Tx) error {
		due, err := claim(ctx, tx.DB, now, limit)
		if err != nil || len(due) == 0 {
			return err
		}
		preferences, err := preferencesOf(ctx, tx.DB, due)
		if err != nil {
			return err
		}
		var b batch
		for _, d := range due {
			b.add(d, decide(d, preferences.of(d.UserID)))
		}
		settled, err = b.write(ctx, tx)
		return err
	})
	if err != nil {
		return domain.Settled{}, fmt.Errorf("settle due reminders: %w", err)
	}
	return settled, nil
}

func claim(ctx context.Context, tx *gorm.DB, now time.Time, limit int) ([]domain.Due, error) {
	var all []domain.Due
	for _, query := range []string{claimReminders, claimSnoozes} {
		due, err := collect(ctx, tx, "claim", scanDue, query, now, limit)
		if err != nil {
			return nil, err
		}
		all = append(all, due...)
	}
	return all, nil
}

func scanDue(rows *sql.Rows, d *domain.Due) error {
	var day, dueAt sql.NullTime
	err := rows.Scan(&d.SnoozedID, &d.TaskID, &d.UserID, &d.Title, &day, &dueAt, &d.Older, &d.Timezone, &d.RemindAt, &d.DeliverAt, &d.TaskVersion)
	d.DueDate, d.DueAt, d.RemindAt, d.DeliverAt = dateText(day), timePtr(dueAt), d.RemindAt.UTC(), d.DeliverAt.UTC()
	return err
}

type byUser map[string]domain.Preferences

func (p byUser) of(userID string) domain.Preferences {
	if set, ok := p[userID]; ok {
		return set
	}
	return domain.DefaultPreferences()
}

func preferencesOf(ctx context.Context, tx *gorm.DB, due []domain.Due) (byUser, error) {
	users := make([]string, len(due))
	for i, d := range due {
		users[i] = d.UserID
	}
	rows, err := collect(ctx, tx, "preferences", scanPreferences, claimedPreferences, users)
	if err != nil {
		return nil, err
	}
	out := make(byUser, len(rows))
	for _, r := range rows {
		out[r.userID] = r.preferences
	}
	return out, nil
}

// batch collects what one transaction writes.
type batch struct {
	decisions []domain.Decision
	reminders []string // task ids that are delivered
	snoozes   []string // ids of notifications that are delivered again
	held      []string // task ids
	heldUntil []time.Time
}

func (b *batch) add(d domain.Due, decision domain.Decision) {
	if !decision.HoldUntil.IsZero() {
		b.held, b.heldUntil = append(b.held, d.TaskID), append(b.heldUntil, decision.HoldUntil)
		return
	}
	b.decisions = append(b.decisions, decision)
	if d.SnoozedID != "" {
		b.snoozes = append(b.snoozes, d.SnoozedID)
	} else {
		b.reminders = append(b.reminders, d.TaskID)
	}
}

// write writes the batch. It counts what became new notifications.
func (b *batch) write(ctx context.Context, tx *outbox.Tx) (domain.Settled, error) {
	settled := domain.Settled{Held: len(b.held)}
	fresh, err := b.insert(ctx, tx)
	if err != nil {
		return domain.Settled{}, err
	}
	settled.Notified, settled.Known = len(fresh), len(b.decisions)-len(fresh)
	for _, d := range fresh {
		if d.Notification.Late {
			settled.Late++
		}
	}
	for _, step := range []struct {
		what, query string
		ids         []string
		more        []any
	}{
		{"mark as sent", `UPDATE reminders SET state = 'sent', sent_for = remind_at WHERE task_id = ANY($1::text[]::uuid[])`, b.reminders, nil},
		{"end snoozes", `UPDATE notifications SET snoozed_until = NULL WHERE id = ANY($1::text[]::uuid[])`, b.snoozes, nil},
		{"hold for quiet hours", `UPDATE reminders r SET deliver_at = h.until
			FROM unnest($1::text[]::uuid[], $2::timestamptz[]) AS h (task_id, until) WHERE r.task_id = h.task_id`, b.held, []any{b.heldUntil}},
	} {
		if len(step.ids) == 0 {
			continue
		}
		if _, err := conn(tx.DB).ExecContext(ctx, step.query, append([]any{step.ids}, step.more...)...); err != nil {
			return domain.Settled{}, fmt.Errorf("%s: %w", step.what, err)
		}
	}
	return settled, nil
}

// insert numbers and inserts the notifications that do not exist yet, with their deliveries and events. It returns the
// decisions that made them.
func (b *batch) insert(ctx context.Context, tx *outbox.Tx) ([]domain.Decision, error) {
	if len(b.decisions) == 0 {
		return nil, nil
	}
	ids, users := make([]string, len(b.decisions)), make([]string, len(b.decisions))
	for i, d := range b.decisions {
		ids[i], users[i] = d.Notification.ID, d.Notification.UserID
	}
	inboxes, err := lockInboxes(ctx, tx, users)
	if err != nil {
		return nil, err
	}
	// A notification that exists takes no number. No other transaction can insert one of these ids meanwhile.
	known, err := collect(ctx, tx.DB, "look for known notifications", func(r *sql.Rows, id *string) error { return r.Scan(id) },
		`SELECT id FROM notifications WHERE id = ANY($1::text[]::uuid[])`, ids)
	if err != nil {
		return nil, err
	}
	var fresh []domain.Decision
	for _, d := range b.decisions {
		if slices.Contains(known, d.Notification.ID) {
			continue
		}
		if d.Event == nil {
			inboxes.count(d.Notification.UserID, 1)
		} else {
			if err := inboxes.add(d.Event, 1); err != nil {
				return nil, err
			}
			d.Notification.Seq = d.Event.NotificationSeq
		}
		fresh = append(fresh, d)
	}
	if err := insertNotifications(ctx, tx.DB, fresh); err != nil {
		return nil, err
	}
	if err := insertDeliveries(ctx, tx.DB, fresh); err != nil {
		return nil, err
	}
	inboxes.save()
	return fresh, nil
}

func insertNotifications(ctx context.Context, tx *gorm.DB, fresh []domain.Decision) error {
	n := len(fresh)
	if n == 0 {
		return nil
	}
	ids, users, tasks, kinds, titles, bodies, days := make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	due, late, created, seqs := make([]*time.Time, n), make([]bool, n), make([]time.Time, n), make([]int64, n)
	for i, d := range fresh {
		v := d.Notification
		ids[i], users[i], tasks[i], kinds[i], titles[i], bodies[i], days[i] = v.ID, v.UserID, v.TaskID, v.Kind, v.Title, v.Body, v.DueDate
		due[i], late[i], created[i], seqs[i] = v.DueAt, v.Late, v.CreatedAt, v.Seq
	}
	_, err := conn(tx).ExecContext(ctx, `
		INSERT INTO notifications (id, user_id, task_id, kind, title, body, due_date, due_at, late, created_at, seq)
		SELECT id::uuid, user_id::uuid, task_id::uuid, kind, title, body, nullif(due_date, '')::date, due_at, late, created_at, seq
		FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::timestamptz[], $9::bool[], $10::timestamptz[], $11::bigint[])
		AS t (id, user_id, task_id, kind, title, body, due_date, due_at, late, created_at, seq)`,
		ids, users, tasks, kinds, titles, bodies, days, due, late, created, seqs)
	if err != nil {
		return fmt.Errorf("insert notifications: %w", err)
	}
	return nil
}

func insertDeliveries(ctx context.Context, tx *gorm.DB, fresh []domain.Decision) error {
	var ids, channels, states, lastErrors []string
	var attempts []int32
	var at []time.Time
	for _, d := range fresh {
		if v := d.Delivery; v != nil {
			ids, channels, states, lastErrors = append(ids, d.Notification.ID), append(channels, v.Channel), append(states, v.State), append(lastErrors, v.LastError)
			attempts, at = append(attempts, int32(v.Attempts)), append(at, v.At) // always 1
		}
	}
	if len(ids) == 0 {
		return nil
	}
	_, err := conn(tx).ExecContext(ctx, `
		INSERT INTO deliveries (notification_id, channel, state, last_error, attempts, at)
		SELECT id::uuid, channel, state, last_error, attempts, at
		FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::integer[], $6::timestamptz[]) AS t (id, channel, state, last_error, attempts, at)`,
		ids, channels, states, lastErrors, attempts, at)
	if err != nil {
		return fmt.Errorf("insert deliveries: %w", err)
	}
	return nil
}
