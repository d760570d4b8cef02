package postgres

// This file implements accounts.Mails.

import (
	"context"
	"fmt"
	"time"

	"github.com/taskwire/taskwire/pkg/platform/outbox"
	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
)

// QueueMail implements accounts.Mails. It takes the same time for an e-mail with and without an account.
func (s *Store) QueueMail(ctx context.Context, email string, kind accounts.MailKind, now time.Time, limit accounts.Rate, most int) (bool, error) {
	var full bool
	if err := s.db.WithContext(ctx).Raw(`SELECT count(*) >= @most FROM (SELECT FROM mails WHERE pending LIMIT @most) AS waiting`, map[string]any{"most": most}).Scan(&full).Error; err != nil {
		return false, fmt.Errorf("count waiting mails: %w", err)
	}
	if full {
		return false, accounts.ErrMailsFull
	}
	every := fmt.Sprintf("%d microseconds", limit.Every.Microseconds())
	res := s.db.WithContext(ctx).Exec(`INSERT INTO mails AS m (email, kind, pending, next_at, allowed_at) VALUES (@email, @kind, true, @now, CAST(@now AS timestamptz) + CAST(@every AS interval))
		ON CONFLICT (email, kind) DO UPDATE SET pending = true, attempts = 0, next_at = @now, allowed_at = greatest(CAST(@now AS timestamptz), m.allowed_at) + CAST(@every AS interval)
			WHERE NOT m.pending AND m.allowed_at <= CAST(@now AS timestamptz) + CAST(@every AS interval) * @others`,
		map[string]any{"email": email, "kind": kind, "now": now, "every": every, "others": limit.Burst - 1})
	if res.Error != nil {
		return false, fmt.Errorf("queue mail: %w", res.Error)
	}
	return res.RowsAffected > 0, nil
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
