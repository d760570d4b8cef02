package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
	"gorm.io/gorm"
)

// Exists implements accounts.Store.
func (s *Store) Exists(ctx context.Context, id string) (there bool, err error) {
	err = s.db.WithContext(ctx).Raw(`SELECT EXISTS (SELECT FROM heads WHERE user_id = ?)`, id).Scan(&there).Error
	if err != nil {
		return false, fmt.Errorf("look for user: %w", err)
	}
	return there, nil
}

// Provision implements accounts.Store. A user who comes back after a deletion goes on from the change number where he
// ended: what consumers know of his id stays true, and a client of then is told to start over.
func (s *Store) Provision(ctx context.Context, u accounts.User, issued time.Time) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		// The row first: it waits for a deletion under way, which the next statement then sees.
		err := tx.Exec(`INSERT INTO users (id, email, name, timezone, role, password_hash, created_at, updated_at) VALUES (?, ?, ?, ?, ?, '', ?, ?)
			ON CONFLICT (id) DO NOTHING`, u.ID, u.Email, u.Name, u.Timezone, u.Role, u.CreatedAt, u.CreatedAt).Error
		if err != nil {
			return fmt.Errorf("provision user: %w", err)
		}
		var before []deletion
		if err := tx.Raw(`SELECT * FROM account_deletions WHERE user_id = ?`, u.ID).Scan(&before).Error; err != nil {
			return fmt.Errorf("look for a deletion: %w", err)
		}
		var seq, base int64
		if len(before) > 0 {
			if d := before[0]; d.FinishedAt == nil || !issued.After(d.RequestedAt) {
				return accounts.ErrNoUser
			}
			seq, base = before[0].Seq, before[0].SnapshotBase
		}
		err = tx.Exec(`INSERT INTO heads (user_id, seq, changes_from, purged_seq, snapshot_base) VALUES (?, ?, ?, ?, ?) ON CONFLICT (user_id) DO NOTHING`,
			u.ID, seq, seq+1, seq, base).Error
		if err != nil {
			return fmt.Errorf("provision user: %w", err)
		}
		return nil
	})
}
