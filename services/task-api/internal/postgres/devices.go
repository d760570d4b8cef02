package postgres

// This file implements accounts.Devices.

import (
	"context"
	"fmt"
	"time"

	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
)

// KnowsDevice implements accounts.Devices.
func (s *Store) KnowsDevice(ctx context.Context, userID string, d accounts.Device, since time.Time) (known bool, err error) {
	err = s.db.WithContext(ctx).Raw(`SELECT EXISTS (SELECT FROM known_devices WHERE user_id = ? AND device = ? AND used_at > ?)`, userID, d[:], since).Scan(&known).Error
	if err != nil {
		return false, fmt.Errorf("find known device: %w", err)
	}
	return known, nil
}

// RememberDevice implements accounts.Devices. It writes a known device at most once a day.
func (s *Store) RememberDevice(ctx context.Context, userID string, d accounts.Device, now time.Time, keep int) error {
	err := s.db.WithContext(ctx).Exec(`WITH old AS (DELETE FROM known_devices WHERE user_id = @user AND device IN
			(SELECT device FROM known_devices WHERE user_id = @user AND device <> @device ORDER BY used_at DESC OFFSET @others))
		INSERT INTO known_devices (user_id, device, used_at) SELECT id, @device, @now FROM users WHERE id = @user
		ON CONFLICT (user_id, device) DO UPDATE SET used_at = excluded.used_at WHERE known_devices.used_at < excluded.used_at - interval '1 day'`,
		map[string]any{"user": userID, "device": d[:], "now": now, "others": keep - 1}).Error
	if err != nil {
		return fmt.Errorf("remember device: %w", err)
	}
	return nil
}

// ForgetDevices implements accounts.Devices.
func (s *Store) ForgetDevices(ctx context.Context, userID string) error {
	if err := s.db.WithContext(ctx).Exec(`DELETE FROM known_devices WHERE user_id = ?`, userID).Error; err != nil {
		return fmt.Errorf("forget devices: %w", err)
	}
	return nil
}
