package postgres

// This file implements accounts.Store for accounts with a password, for log-ins and for refresh tokens.

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/taskwire/taskwire/pkg/platform/outbox"
	pg "github.com/taskwire/taskwire/pkg/platform/postgres"
	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/publish"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// userRow is a row of users.
type userRow struct {
	ID, Email, Name, Timezone, Role, PasswordHash string
	CreatedAt, UpdatedAt                          time.Time
	EmailVerifiedAt                               *time.Time
}

// TableName implements gorm's Tabler.
func (userRow) TableName() string { return "users" }

func (r userRow) user() accounts.User {
	return accounts.User{ID: r.ID, Email: r.Email, EmailVerified: r.EmailVerifiedAt != nil, Name: r.Name, Timezone: r.Timezone, Role: r.Role, CreatedAt: r.CreatedAt}
}

// CreateUser implements accounts.Store.
func (s *Store) CreateUser(ctx context.Context, u accounts.User, passwordHash string, l accounts.Login, record accounts.Record) error {
	err := s.outbox.InTx(ctx, func(tx *outbox.Tx) error {
		row := userRow{u.ID, u.Email, u.Name, u.Timezone, u.Role, passwordHash, u.CreatedAt, u.CreatedAt, nil}
		if err := tx.Omit("EmailVerifiedAt").Create(&row).Error; err != nil {
			return err
		}
		if err := tx.Exec(`INSERT INTO heads (user_id) VALUES (?)`, u.ID).Error; err != nil {
			return err
		}
		if err := beginSession(tx.DB, l); err != nil {
			return err
		}
		if l.Welcome {
			if _, err := queueMail(tx.DB, u.Email, accounts.MailVerify, l.At, accounts.MaxMails); err != nil && !errors.Is(err, accounts.ErrMailsFull) {
				return err
			}
		}
		return record(tx, u.ID, nil)
	})
	if pg.IsUniqueViolation(err, "users_email_key") {
		return accounts.ErrEmailTaken
	}
	if err != nil {
		return fmt.Errorf("create user: %w", err)
	}
	return nil
}

// UserByEmail implements accounts.Store. emails is not empty. It does not find an account without a password, because the e-mail of such an
// account is not unique.
func (s *Store) UserByEmail(ctx context.Context, emails ...string) (accounts.User, string, error) {
	row, err := oneUser(s.db.WithContext(ctx).Where("email IN ? AND password_hash <> ''", emails).
		Order(clause.OrderBy{Expression: clause.Expr{SQL: "email = ? DESC", Vars: []any{emails[0]}}}))
	return row.user(), row.PasswordHash, err
}

// User implements accounts.Store.
func (s *Store) User(ctx context.Context, id string) (accounts.User, error) {
	row, err := oneUser(s.db.WithContext(ctx).Where("id = ?", id))
	return row.user(), err
}

func oneUser(tx *gorm.DB) (userRow, error) {
	var rows []userRow
	if err := tx.Limit(1).Find(&rows).Error; err != nil {
		return userRow{}, fmt.Errorf("read user: %w", err)
	}
	if len(rows) == 0 {
		return userRow{}, accounts.ErrNoUser
	}
	return rows[0], nil
}

// UpdateUser implements accounts.Store. It locks the user as a write of a task does, so the task that it reads is
// the newest version.
func (s *Store) UpdateUser(ctx context.Context, id string, name, timezone *string, now time.Time, moved func(publish.Tx, domain.Task) error) (accounts.User, error) {
	var rows []userRow
	err := s.outbox.InTx(ctx, func(tx *outbox.Tx) error {
		var before []string
		err := tx.Raw(`SELECT u.timezone FROM heads h JOIN users u ON u.id = h.user_id WHERE h.user_id = ? FOR NO KEY UPDATE OF h`, id).Scan(&before).Error
		if err != nil || len(before) == 0 {
			return err
		}
		err = tx.Raw(`UPDATE users SET name = coalesce(?, name), timezone = coalesce(?, timezone), updated_at = ? WHERE id = ? RETURNING *`,
			name, timezone, now, id).Scan(&rows).Error
		if err != nil || len(rows) == 0 || rows[0].Timezone == before[0] {
			return err
		}
		var next []taskRow
		err = tx.Select(taskColumns).Where("user_id = ? AND deleted_at IS NULL AND remind_at > ? AND status IN ?", id, now, openNow).
			Order("remind_at").Limit(1).Find(&next).Error
		if err != nil || len(next) == 0 {
			return err
		}
		return moved(tx, next[0].task())
	})
	if err != nil {
		return accounts.User{}, fmt.Errorf("update user: %w", err)
	}
	if len(rows) == 0 {
		return accounts.User{}, accounts.ErrNoUser
	}
	return rows[0].user(), nil
}

// PasswordHash implements accounts.Store.
func (s *Store) PasswordHash(ctx context.Context, id string) (string, error) {
	row, err := oneUser(s.db.WithContext(ctx).Where("id = ?", id))
	return row.PasswordHash, err
}

// StartLogin implements accounts.Store. It locks the user, so it waits for a concurrent password change or deletion and sees the
// result.
func (s *Store) StartLogin(ctx context.Context, l accounts.Login, record accounts.Record) error {
	return s.outbox.InTx(ctx, func(tx *outbox.Tx) error {
		if _, err := lockUser(tx.DB, l.UserID); err != nil {
			return err
		}
		res := tx.Exec(`SELECT FROM users WHERE id = ? AND password_hash = ?`, l.UserID, l.Password)
		if res.Error != nil {
			return fmt.Errorf("start log-in: %w", res.Error)
		}
		if res.RowsAffected == 0 {
			return accounts.ErrWrong
		}
		if err := beginSession(tx.DB, l); err != nil {
			return err
		}
		ended, err := endSessions(tx, theOldest, l.FamilyID, accounts.Ending{UserID: l.UserID, Reason: accounts.ReasonTooMany, At: l.At})
		if err != nil {
			return err
		}
		return record(tx, l.UserID, ended)
	})
}

// ChangePassword implements accounts.Store.
func (s *Store) ChangePassword(ctx context.Context, old string, l accounts.Login, record, revoked accounts.Record) error {
	return s.outbox.InTx(ctx, func(tx *outbox.Tx) error {
		if _, err := lockUser(tx.DB, l.UserID); err != nil {
			return err
		}
		res := tx.Exec(`UPDATE users SET password_hash = ?, updated_at = ? WHERE id = ? AND password_hash = ?`, l.Password, l.At, l.UserID, old)
		if res.Error != nil {
			return fmt.Errorf("change password: %w", res.Error)
		}
		if res.RowsAffected == 0 {
			return accounts.ErrWrong
		}
		if err := beginSession(tx.DB, l); err != nil {
			return err
		}
		ended, err := endSessions(tx, allBut, l.FamilyID, accounts.Ending{UserID: l.UserID, Reason: accounts.ReasonPassword, At: l.At})
		if err != nil {
			return err
		}
		if err := record(tx, l.UserID, ended); err != nil || revoked == nil {
			return err
		}
		_, err = revokeTokens(tx, l.UserID, "", l.At, revoked)
		return err
	})
}

// Rotate implements accounts.Store.
func (s *Store) Rotate(ctx context.Context, hash [sha256.Size]byte, decide func(accounts.Stored) (accounts.Rotation, error), record accounts.Record) error {
	return s.outbox.InTx(ctx, func(tx *outbox.Tx) error {
		userID, _, err := lockOwner(tx.DB, hash[:])
		if err != nil {
			return err
		}
		if userID == "" {
			return accounts.ErrRefused
		}
		stored, err := lockToken(tx.DB, hash[:])
		if err != nil {
			return err
		}
		r, err := decide(stored)
		if err != nil {
			return err
		}
		if r.Revoke == "" {
			return rotate(tx.DB, hash[:], stored.FamilyID, r)
		}
		ended, err := endSessions(tx, theOnly, stored.FamilyID, accounts.Ending{UserID: userID, Reason: r.Revoke, At: r.At})
		if err != nil || len(ended) == 0 {
			return err
		}
		return record(tx, userID, ended)
	})
}

// lockToken locks the family of a token, for the previous version of the service, which does not lock the user, and reads what the
// decision about the token needs.
func lockToken(tx *gorm.DB, hash []byte) (accounts.Stored, error) {
	var rows []struct {
		User      userRow `gorm:"embedded"`
		FamilyID  string
		Dead      bool
		ExpiresAt time.Time
	}
	err := tx.Raw(`SELECT u.*, f.id AS family_id, f.revoked_at IS NOT NULL AS dead, f.expires_at
		FROM refresh_families f JOIN users u ON u.id = f.user_id
		WHERE f.id = (SELECT family_id FROM refresh_tokens WHERE hash = ?) FOR UPDATE OF f`, hash).Scan(&rows).Error
	if err != nil {
		return accounts.Stored{}, fmt.Errorf("lock refresh token: %w", err)
	}
	if len(rows) == 0 {
		return accounts.Stored{}, accounts.ErrRefused
	}
	family := rows[0]
	stored := accounts.Stored{User: family.User.user(), FamilyID: family.FamilyID, Dead: family.Dead, ExpiresAt: family.ExpiresAt}
	err = tx.Raw(`SELECT t.rotated_at, t.sealed, EXISTS (SELECT FROM refresh_tokens n
			WHERE n.family_id = t.family_id AND n.rotated_at > t.rotated_at) AS successor_used
		FROM refresh_tokens t WHERE t.hash = ?`, hash).Row().Scan(&stored.RotatedAt, &stored.Sealed, &stored.SuccessorUsed)
	if err != nil {
		return accounts.Stored{}, fmt.Errorf("read refresh token: %w", err)
	}
	return stored, nil
}

// rotate replaces a used token, unless the decision is to change nothing.
func rotate(tx *gorm.DB, hash []byte, familyID string, r accounts.Rotation) error {
	if r.Sealed == nil {
		return nil
	}
	err := tx.Exec(`WITH used AS (UPDATE refresh_tokens SET rotated_at = ?, sealed = ? WHERE hash = ?),
			alive AS (UPDATE refresh_families SET expires_at = ?, last_used_at = ?, address = ?, device = ? WHERE id = ?)
		INSERT INTO refresh_tokens (family_id, hash, issued_at) VALUES (?, ?, ?)`, // gorm would expand a []byte after ( to a list, so family_id comes first
		r.At, r.Sealed, hash, r.ExpiresAt, r.At, r.Client.Address(), r.Client.Device(), familyID, familyID, r.Next[:], r.At).Error
	if err != nil {
		return fmt.Errorf("rotate refresh token: %w", err)
	}
	return nil
}
