package postgres

// This file keeps personal API tokens. A change of them holds the lock of the user's row in heads, as a change of sessions does.

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/pkg/platform/outbox"
	pg "github.com/taskwire/taskwire/pkg/platform/postgres"
	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
	"github.com/taskwire/taskwire/services/task-api/internal/tokens"
)

var _ tokens.Store = (*Store)(nil)

// CreateToken implements tokens.Store.
func (s *Store) CreateToken(ctx context.Context, t tokens.Stored, record accounts.Record) error {
	err := s.outbox.InTx(ctx, func(tx *outbox.Tx) error {
		there, err := lockUser(tx.DB, t.UserID)
		if err != nil {
			return err
		}
		if !there {
			return accounts.ErrNoUser
		}
		// What has expired frees its name and its place.
		if err := tx.Exec(`DELETE FROM api_tokens WHERE user_id = ? AND expires_at <= ?`, t.UserID, t.CreatedAt).Error; err != nil {
			return fmt.Errorf("remove expired API tokens: %w", err)
		}
		var n int64
		if err := tx.Raw(`SELECT count(*) FROM api_tokens WHERE user_id = ?`, t.UserID).Scan(&n).Error; err != nil {
			return fmt.Errorf("count API tokens: %w", err)
		}
		if n >= tokens.MaxTokens {
			return tokens.ErrTooMany
		}
		err = tx.Exec(`INSERT INTO api_tokens (id, user_id, name, scope, hash, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)`,
			t.ID, t.UserID, t.Name, t.Scope, t.Hash[:], t.CreatedAt, t.ExpiresAt).Error
		if pg.IsUniqueViolation(err, "api_tokens_user_id_name_key") {
			return fmt.Errorf("%w: %w", tokens.ErrNameTaken, err)
		}
		if err != nil {
			return fmt.Errorf("insert API token: %w", err)
		}
		return record(tx, t.UserID, nil)
	})
	if err != nil {
		return fmt.Errorf("create an API token of user %s: %w", t.UserID, err)
	}
	return nil
}

// Tokens implements tokens.Store.
func (s *Store) Tokens(ctx context.Context, userID string, now time.Time) ([]tokens.Stored, error) {
	var rows []struct {
		ID, Name, Scope      string
		CreatedAt, ExpiresAt time.Time
		LastUsedAt           *time.Time
	}
	err := s.db.WithContext(ctx).Raw(`SELECT id, name, scope, created_at, expires_at, last_used_at FROM api_tokens
		WHERE user_id = ? AND expires_at > ? ORDER BY created_at DESC, id DESC LIMIT ?`, userID, now, tokens.MaxTokens).Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("list API tokens: %w", err)
	}
	list := make([]tokens.Stored, len(rows))
	for i, r := range rows {
		list[i] = tokens.Stored{UserID: userID, Scope: r.Scope, Token: tokens.Token{
			ID: r.ID, Name: r.Name, Scopes: tokens.ScopesOf(r.Scope), CreatedAt: r.CreatedAt.UTC(), ExpiresAt: r.ExpiresAt.UTC(), LastUsedAt: inUTC(r.LastUsedAt),
		}}
	}
	return list, nil
}

func inUTC(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}

// RevokeTokens implements tokens.Store.
func (s *Store) RevokeTokens(ctx context.Context, userID, id string, now time.Time, record accounts.Record) (ids []string, err error) {
	err = s.outbox.InTx(ctx, func(tx *outbox.Tx) error {
		there, err := lockUser(tx.DB, userID)
		if err != nil || !there {
			return err
		}
		ids, err = revokeTokens(tx, userID, id, now, record)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("revoke API tokens of user %s: %w", userID, err)
	}
	return ids, nil
}

// revokeTokens removes one token of the user, or with an empty id all. The caller holds the user's lock.
func revokeTokens(tx *outbox.Tx, userID, id string, now time.Time, record accounts.Record) (ids []string, err error) {
	which, args := `user_id = ?`, []any{userID}
	if id != "" {
		which, args = which+` AND id = ?`, append(args, id)
	}
	if err := tx.Raw(`DELETE FROM api_tokens WHERE `+which+` RETURNING id`, args...).Scan(&ids).Error; err != nil {
		return nil, err
	}
	if len(ids) == 0 {
		return nil, nil
	}
	if err := revokeAll(tx, accounts.RevokedToken, userID, now, ids); err != nil {
		return nil, err
	}
	return ids, record(tx, userID, ids)
}

// findToken notes the use of a token at most once in LastUsedPrecision. The row is updated in place (HOT): no index has the column.
const findToken = `
	WITH used AS (
		UPDATE api_tokens SET last_used_at = @now
		WHERE hash = @hash AND expires_at > @now AND (last_used_at IS NULL OR last_used_at <= @since)
	)
	SELECT t.id, t.user_id, u.role, t.scope, t.created_at, t.expires_at FROM api_tokens t JOIN users u ON u.id = t.user_id
	WHERE t.hash = @hash AND t.expires_at > @now`

// FindToken implements tokens.Store.
func (s *Store) FindToken(ctx context.Context, hash [sha256.Size]byte, now time.Time) (auth.PersonalToken, error) {
	var rows []auth.PersonalToken
	args := map[string]any{"hash": hash[:], "now": now, "since": now.Add(-tokens.LastUsedPrecision)}
	if err := s.db.WithContext(ctx).Raw(findToken, args).Scan(&rows).Error; err != nil {
		return auth.PersonalToken{}, fmt.Errorf("find an API token: %w", err)
	}
	if len(rows) == 0 {
		return auth.PersonalToken{}, auth.ErrNoToken
	}
	rows[0].CreatedAt, rows[0].ExpiresAt = rows[0].CreatedAt.UTC(), rows[0].ExpiresAt.UTC()
	return rows[0], nil
}
