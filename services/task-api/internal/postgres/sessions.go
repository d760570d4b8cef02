package postgres

// This file lists and ends sessions. A session is a row of refresh_families. Every change of sessions holds the lock of the user's
// row in heads, as a write of a task does: so the events of a user are in the order of the commits, a refresh and the end of its
// session cannot pass each other, and nothing deadlocks.

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/taskwire/taskwire/pkg/platform/outbox"
	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
	"gorm.io/gorm"
)

// lockUser locks the user until the transaction ends. It returns false if there is no such user.
func lockUser(tx *gorm.DB, id string) (bool, error) {
	res := tx.Exec(`SELECT FROM heads WHERE user_id = ? FOR NO KEY UPDATE`, id)
	if res.Error != nil {
		return false, fmt.Errorf("lock user: %w", res.Error)
	}
	return res.RowsAffected > 0, nil
}

// lockOwner locks the user of a refresh token and returns the ids of the user and of the session, or "" if there is no such token.
func lockOwner(tx *gorm.DB, hash []byte) (userID, familyID string, err error) {
	var rows []struct{ UserID, FamilyID string }
	err = tx.Raw(`SELECT h.user_id, f.id AS family_id FROM refresh_tokens t JOIN refresh_families f ON f.id = t.family_id JOIN heads h ON h.user_id = f.user_id
		WHERE t.hash = ? FOR NO KEY UPDATE OF h`, hash).Scan(&rows).Error
	if err != nil {
		return "", "", fmt.Errorf("lock the user of a refresh token: %w", err)
	}
	if len(rows) == 0 {
		return "", "", nil
	}
	return rows[0].UserID, rows[0].FamilyID, nil
}

// beginSession stores a new session with its first refresh token.
func beginSession(tx *gorm.DB, l accounts.Login) error {
	err := tx.Exec(`WITH family AS (INSERT INTO refresh_families (id, user_id, created_at, last_used_at, expires_at, address, device)
			VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id)
		INSERT INTO refresh_tokens (hash, family_id, issued_at) SELECT ?, id, ? FROM family`,
		l.FamilyID, l.UserID, l.At, l.At, l.ExpiresAt, l.Client.Address(), l.Client.Device(), l.Hash[:], l.At).Error
	if err != nil {
		return fmt.Errorf("begin session: %w", err)
	}
	return nil
}

// live is the condition of a session that has not ended.
const live = `user_id = @user AND revoked_at IS NULL AND expires_at > @at`

// lastUsed is when a session was used last. The previous version of the service does not set last_used_at.
const lastUsed = `coalesce(last_used_at, created_at)`

// The sessions that end.
const (
	theOnly   = `id = @id`
	allBut    = `id <> @id`
	theOldest = `id IN (SELECT id FROM refresh_families WHERE ` + live + ` AND id <> @id ORDER BY ` + lastUsed + ` DESC, id DESC OFFSET @kept)`
)

// endSessions ends those of the user's live sessions that the condition names, and returns their ids. Their access tokens are
// refused from the commit on.
func endSessions(tx *outbox.Tx, which, id string, e accounts.Ending) ([]string, error) {
	var ended []string
	// kept is less by one than the largest number, for the session that begins.
	args := map[string]any{"user": e.UserID, "at": e.At, "reason": e.Reason, "id": id, "kept": accounts.MaxSessions - 1}
	err := tx.Raw(`UPDATE refresh_families SET revoked_at = @at, reason = @reason WHERE `+live+` AND `+which+` RETURNING id`, args).Scan(&ended).Error
	if err != nil {
		return nil, fmt.Errorf("end sessions: %w", err)
	}
	slices.Sort(ended)
	return ended, revokeAll(tx, accounts.RevokedSession, e.UserID, e.At, ended)
}

// addRevocations replaces the earlier rows of the ids. It runs right before the COMMIT, so that added_at is close to it.
const addRevocations = `
	INSERT INTO revocations (kind, id, user_id, role, at) SELECT $1, id, $3, $4, $5 FROM unnest($2::uuid[]) AS r (id)
	ON CONFLICT (kind, id) DO UPDATE SET role = excluded.role, at = excluded.at, added_at = excluded.added_at`

// revokeAll adds revocations of one kind to the end of the transaction.
func revokeAll(tx *outbox.Tx, kind, userID string, at time.Time, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	list := make([][16]byte, len(ids))
	for i, id := range ids {
		parsed, err := uuid.Parse(id)
		if err != nil {
			return fmt.Errorf("revoke %s %s: %w", kind, id, err)
		}
		list[i] = parsed
	}
	tx.Defer(addRevocations, kind, list, userID, "", at)
	return nil
}

// EndSessions implements accounts.Store.
func (s *Store) EndSessions(ctx context.Context, e accounts.Ending, record accounts.Record) (n int, err error) {
	which, id := allBut, e.Except
	switch {
	case e.Only != "":
		which, id = theOnly, e.Only
	case id == "":
		id = uuid.Nil.String() // no session has it
	}
	err = s.outbox.InTx(ctx, func(tx *outbox.Tx) error {
		there, err := lockUser(tx.DB, e.UserID)
		if err != nil {
			return err
		}
		if !there {
			return accounts.ErrNoUser
		}
		ended, err := endSessions(tx, which, id, e)
		if n = len(ended); err != nil || n == 0 {
			return err
		}
		return record(tx, e.UserID, ended)
	})
	if err != nil {
		return 0, fmt.Errorf("end sessions of user %s: %w", e.UserID, err)
	}
	return n, nil
}

// Revoke implements accounts.Store.
func (s *Store) Revoke(ctx context.Context, hash [sha256.Size]byte, reason string, now time.Time, record accounts.Record) error {
	return s.outbox.InTx(ctx, func(tx *outbox.Tx) error {
		userID, familyID, err := lockOwner(tx.DB, hash[:])
		if err != nil || userID == "" {
			return err
		}
		ended, err := endSessions(tx, theOnly, familyID, accounts.Ending{UserID: userID, Reason: reason, At: now})
		if err != nil || len(ended) == 0 {
			return err
		}
		return record(tx, userID, ended)
	})
}

// Sessions implements accounts.Store.
func (s *Store) Sessions(ctx context.Context, userID string, now time.Time) ([]accounts.LiveSession, error) {
	list := []accounts.LiveSession{}
	err := s.db.WithContext(ctx).Raw(`SELECT id, created_at, `+lastUsed+` AS last_used_at, expires_at, address, device FROM refresh_families
		WHERE `+live+` ORDER BY `+lastUsed+` DESC, id DESC LIMIT @max`, map[string]any{"user": userID, "at": now, "max": accounts.MaxSessions}).Scan(&list).Error
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	for i := range list {
		list[i].CreatedAt, list[i].LastUsedAt, list[i].ExpiresAt = list[i].CreatedAt.UTC(), list[i].LastUsedAt.UTC(), list[i].ExpiresAt.UTC()
	}
	return list, nil
}

// Note implements accounts.Store.
func (s *Store) Note(ctx context.Context, userID string, record accounts.Record) error {
	return s.outbox.InTx(ctx, func(tx *outbox.Tx) error {
		there, err := lockUser(tx.DB, userID)
		if err != nil {
			return err
		}
		if !there {
			return accounts.ErrNoUser
		}
		return record(tx, userID, nil)
	})
}
