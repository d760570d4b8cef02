package postgres

// This file implements accounts.Mails.

import (
	"context"
	"fmt"
	"time"

	"github.com/taskwire/taskwire/pkg/platform/outbox"
	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
	"gorm.io/gorm"
)

// QueueMail implements accounts.Mails. It takes the same time for an e-mail with and without an account.
func (s *Store) QueueMail(ctx context.Context, email string, kind accounts.MailKind, now time.Time, most int) (bool, error) {
	return queueMail(s.db.WithContext(ctx), email, kind, now, most)
}

// queueMail implements accounts.PerAccountMail by the generic cell rate algorithm: allowed_at is the time at which all earlier
// mails would have been allowed one by one. It writes the row also if nothing is queued. Otherwise a second request would be faster
// while the first one's mail is on its way, which happens only if there is an account.
func queueMail(tx *gorm.DB, email string, kind accounts.MailKind, now time.Time, most int) (bool, error) {
	var full bool
	if err := tx.Raw(`SELECT count(*) >= @most FROM (SELECT FROM mails WHERE pending LIMIT @most) AS waiting`, map[string]any{"most": most}).Scan(&full).Error; err != nil {
		return false, fmt.Errorf("count waiting mails: %w", err)
	}
	if full {
		return false, accounts.ErrMailsFull
	}
	limit := accounts.PerAccountMail
	var queued bool
	err := tx.Raw(`INSERT INTO mails AS m (email, kind, pending, next_at, allowed_at) VALUES (@email, @kind, true, @now, CAST(@now AS timestamptz) + CAST(@every AS interval))
		ON CONFLICT (email, kind) DO UPDATE SET (pending, attempts, next_at, allowed_at) =
			(SELECT true, 0, CAST(@now AS timestamptz), greatest(CAST(@now AS timestamptz), m.allowed_at) + CAST(@every AS interval)
				WHERE NOT m.pending AND m.allowed_at <= CAST(@now AS timestamptz) + CAST(@every AS interval) * @others
			UNION ALL SELECT m.pending, m.attempts, m.next_at, m.allowed_at LIMIT 1)
		RETURNING next_at = CAST(@now AS timestamptz)`,
		map[string]any{"email": email, "kind": kind, "now": now, "every": fmt.Sprintf("%d microseconds", limit.Every.Microseconds()), "others": limit.Burst - 1}).Scan(&queued).Error
	if err != nil {
		return false, fmt.Errorf("queue mail: %w", err)
	}
	return queued, nil
}

// ClaimMail implements accounts.Mails.
func (s *Store) ClaimMail(ctx context.Context, now time.Time, lease time.Duration) (accounts.Mail, bool, error) {
	var rows []accounts.Mail
	err := s.db.WithContext(ctx).Raw(`UPDATE mails SET attempts = attempts + 1, next_at = @until
		WHERE (email, kind) = (SELECT email, kind FROM mails WHERE pending AND next_at <= @now ORDER BY next_at LIMIT 1 FOR UPDATE SKIP LOCKED)
		RETURNING email, kind, attempts, allowed_at`, map[string]any{"now": now, "until": now.Add(lease)}).Scan(&rows).Error
	if err != nil {
		return accounts.Mail{}, false, fmt.Errorf("claim mail: %w", err)
	}
	if len(rows) == 0 {
		return accounts.Mail{}, false, nil
	}
	return rows[0], true, nil
}

// FinishMail implements accounts.Mails.
func (s *Store) FinishMail(ctx context.Context, m accounts.Mail) error {
	err := s.db.WithContext(ctx).Exec(`UPDATE mails SET pending = false WHERE email = ? AND kind = ? AND attempts = ?`, m.Email, m.Kind, m.Attempts).Error
	if err != nil {
		return fmt.Errorf("finish mail: %w", err)
	}
	return nil
}

// RetryMail implements accounts.Mails.
func (s *Store) RetryMail(ctx context.Context, m accounts.Mail, at time.Time) error {
	err := s.db.WithContext(ctx).Exec(`UPDATE mails SET next_at = ? WHERE email = ? AND kind = ? AND attempts = ?`, at, m.Email, m.Kind, m.Attempts).Error
	if err != nil {
		return fmt.Errorf("postpone mail: %w", err)
	}
	return nil
}

// ForgetMails implements accounts.Mails.
func (s *Store) ForgetMails(ctx context.Context, now time.Time) error {
	err := s.db.WithContext(ctx).Exec(`DELETE FROM mails WHERE NOT pending AND allowed_at < ?`, now).Error
	if err != nil {
		return fmt.Errorf("forget sent mails: %w", err)
	}
	return nil
}

// VerifyEmail implements accounts.Mails.
func (s *Store) VerifyEmail(ctx context.Context, u accounts.User, passwordHash string, now time.Time, record accounts.Record) error {
	return s.outbox.InTx(ctx, func(tx *outbox.Tx) error {
		if _, err := lockUser(tx.DB, u.ID); err != nil {
			return err
		}
		res := tx.Exec(`UPDATE users SET email_verified_at = ?, updated_at = ? WHERE id = ? AND email = ? AND password_hash = ? AND email_verified_at IS NULL`, now, now, u.ID, u.Email, passwordHash)
		if res.Error != nil {
			return fmt.Errorf("verify e-mail: %w", res.Error)
		}
		if res.RowsAffected == 0 {
			return accounts.ErrLink
		}
		return record(tx, u.ID, nil)
	})
}
