package postgres

// This file creates the accounts of users who log in with an OIDC issuer, when the first token of a user arrives.

import (
	"context"
	"fmt"
	"time"

	"github.com/taskwire/taskwire/pkg/platform/outbox"
	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
)

// Exists implements accounts.Store.
func (s *Store) Exists(ctx context.Context, id string) (there bool, err error) {
	err = s.db.WithContext(ctx).Raw(`SELECT EXISTS (SELECT FROM heads WHERE user_id = ?)`, id).Scan(&there).Error
	if err != nil {
		return false, fmt.Errorf("find user: %w", err)
	}
	return there, nil
}

// Provision implements accounts.Store. When a user returns after a deletion, the new account continues with the change
// number after the last one of the deleted account. So the numbers that consumers have stored for the user id stay valid,
// and a client of the deleted account gets tasks.ErrTooOld.
func (s *Store) Provision(ctx context.Context, u accounts.User, issued time.Time, record accounts.Record) error {
	return s.outbox.InTx(ctx, func(tx *outbox.Tx) error {
		// The insert comes first: it waits for a concurrent deletion of the account, so that the next statement sees it.
		res := tx.Exec(`INSERT INTO users (id, email, name, timezone, role, password_hash, created_at, updated_at) VALUES (?, ?, ?, ?, ?, '', ?, ?)
			ON CONFLICT (id) DO NOTHING`, u.ID, u.Email, u.Name, u.Timezone, u.Role, u.CreatedAt, u.CreatedAt)
		if res.Error != nil {
			return fmt.Errorf("provision user: %w", res.Error)
		}
		var before []deletion
		if err := tx.Raw(`SELECT * FROM account_deletions WHERE user_id = ?`, u.ID).Scan(&before).Error; err != nil {
			return fmt.Errorf("find the user's deletion: %w", err)
		}
		var seq, base int64
		if len(before) > 0 {
			if d := before[0]; d.FinishedAt == nil || !issued.After(d.RequestedAt) {
				return accounts.ErrNoUser
			}
			seq, base = before[0].Seq, before[0].SnapshotBase
		}
		err := tx.Exec(`INSERT INTO heads (user_id, seq, changes_from, purged_seq, snapshot_base) VALUES (?, ?, ?, ?, ?) ON CONFLICT (user_id) DO NOTHING`,
			u.ID, seq, seq+1, seq, base).Error
		if err != nil {
			return fmt.Errorf("provision user: %w", err)
		}
		if res.RowsAffected == 0 { // another request made the account
			return nil
		}
		return record(tx, u.ID, nil)
	})
}
