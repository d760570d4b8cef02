package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/taskwire/taskwire/services/notification/internal/domain"
)

type preferencesRow struct {
	userID      string
	preferences domain.Preferences
}

func scanPreferences(rows *sql.Rows, r *preferencesRow) error {
	var start, end, zone string
	if err := rows.Scan(&r.userID, &r.preferences.InApp, &start, &end, &zone); err != nil {
		return err
	}
	// Parsing fails only for a zone that was removed from the time zone database after it was stored. That must not stop
	// the reminders of all users, so this user has no quiet hours then.
	r.preferences.Quiet, _ = domain.NewQuietHours(start, end, zone)
	return nil
}

// Preferences implements domain.MailboxStore.
func (s *Store) Preferences(ctx context.Context, userID string) (domain.Preferences, error) {
	rows, err := collect(ctx, s.db.WithContext(ctx), "preferences", scanPreferences, claimedPreferences, []string{userID})
	if err != nil {
		return domain.Preferences{}, err
	}
	if len(rows) == 0 {
		return domain.DefaultPreferences(), nil
	}
	return rows[0].preferences, nil
}

const (
	savePreferences = `
INSERT INTO preferences (user_id, in_app, quiet_start, quiet_end, quiet_timezone, updated_at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (user_id) DO UPDATE SET in_app = excluded.in_app, quiet_start = excluded.quiet_start, quiet_end = excluded.quiet_end,
    quiet_timezone = excluded.quiet_timezone, updated_at = excluded.updated_at`

	// releaseHeld makes held reminders due now, so that the engine decides again. It writes every waiting row, held or
	// not: so it waits for a row that the engine is just holding by the old preferences, and then releases it.
	releaseHeld = `
UPDATE reminders SET deliver_at = CASE WHEN deliver_at > remind_at THEN greatest(remind_at, least(deliver_at, $2)) ELSE deliver_at END
WHERE user_id = $1 AND state = 'scheduled'`
)

// SavePreferences implements domain.MailboxStore.
func (s *Store) SavePreferences(ctx context.Context, userID string, p domain.Preferences, at time.Time) error {
	var start, end, zone sql.NullString
	if q := p.Quiet; q != nil {
		start, end, zone = text(q.StartClock()), text(q.EndClock()), text(q.Zone.String())
	}
	err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if _, err := conn(tx).ExecContext(ctx, savePreferences, userID, p.InApp, start, end, zone, at); err != nil {
			return err
		}
		_, err := conn(tx).ExecContext(ctx, releaseHeld, userID, at)
		return err
	})
	if err != nil {
		return fmt.Errorf("save preferences: %w", err)
	}
	return nil
}

func text(s string) sql.NullString { return sql.NullString{String: s, Valid: true} }
