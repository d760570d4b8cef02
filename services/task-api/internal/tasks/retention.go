package tasks

// This file decides how long old rows are kept.

import (
	"context"
	"log/slog"
	"time"

	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
)

const (
	// ChangeRetention is how long the change log keeps a change. A client that was away for longer starts over with
	// GET /sync, which costs less than replaying more than a week of changes.
	ChangeRetention = 7 * 24 * time.Hour
	// TombstoneRetention is how long a deleted task is kept: one day longer than it can be restored.
	TombstoneRetention = domain.RestoreWindow + 24*time.Hour
	// usedTokenRetention is how long used refresh tokens are kept, to detect that a token is used twice. An older token is
	// treated as unknown.
	usedTokenRetention = 30 * 24 * time.Hour
	// endedSessionRetention is how long the row of an ended session is kept, for an operator who looks into an incident. The audit
	// log has its end for ever.
	endedSessionRetention = 7 * 24 * time.Hour
	// revocationRetention is how long the end of a session, a revoked token and a new role are kept: as long as an access token from
	// before it can be valid.
	revocationRetention = auth.AccessTokenLife + accounts.RevocationMargin
	// deletedUserRetention is how long a deleted account is kept among the revocations. The access tokens of an OIDC issuer live
	// longer than ours, mostly for hours.
	deletedUserRetention = 24*time.Hour + accounts.RevocationMargin
	// pruneInterval is how often the service removes old rows. No promise depends on it.
	pruneInterval = 10 * time.Minute
)

// Retention has a time for each kind of row. Rows from before that time are removed.
type Retention struct{ Changes, Tombstones, Keys, LogIns, EndedSessions, UsedTokens, Revocations, DeletedUsers time.Time }

// Pruner removes old rows in small batches. Only one replica prunes at a time.
type Pruner interface {
	Prune(ctx context.Context, old Retention) error
}

// RunRetention removes old rows every pruneInterval until ctx ends. It logs a failure, and the next run removes the rest.
func (s *Service) RunRetention(ctx context.Context, log *slog.Logger) error {
	tick := time.NewTicker(pruneInterval)
	defer tick.Stop()
	for {
		if err := s.Prune(ctx); err != nil && ctx.Err() == nil {
			log.WarnContext(ctx, "could not remove old rows; trying again later", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Prune removes all rows that are older than their retention.
func (s *Service) Prune(ctx context.Context) error {
	now := s.now()
	return s.store.Prune(ctx, Retention{
		Changes: now.Add(-ChangeRetention), Tombstones: now.Add(-TombstoneRetention), Keys: now.Add(-KeyRetention),
		LogIns: now, EndedSessions: now.Add(-endedSessionRetention), Revocations: now.Add(-revocationRetention), DeletedUsers: now.Add(-deletedUserRetention),
		UsedTokens: now.Add(-usedTokenRetention),
	})
}
