package tasks

import (
	"context"
	"log/slog"
	"time"

	"github.com/taskwire/taskwire/services/task-api/internal/domain"
)

// This file decides how long rows are kept that nobody needs any more.

const (
	// ChangeRetention is how far back the change log replays. A client that was away for longer starts over with
	// GET /sync, which is cheaper for it than a week of changes.
	ChangeRetention = 7 * 24 * time.Hour
	// TombstoneRetention keeps a deleted task a day beyond the last moment at which it can be restored.
	TombstoneRetention = domain.RestoreWindow + 24*time.Hour
	// usedTokenRetention keeps used refresh tokens, which detect that a token is used twice. An older one is as unknown
	// as any other.
	usedTokenRetention = 30 * 24 * time.Hour
	// pruneInterval is how often old rows are looked for. Nothing depends on when they go.
	pruneInterval = 10 * time.Minute
)

// Retention says, for each kind of row, before which time a row is old.
type Retention struct{ Changes, Tombstones, Keys, LogIns, UsedTokens time.Time }

// Pruner removes old rows in small batches. Of several replicas one does so at a time.
type Pruner interface {
	Prune(ctx context.Context, old Retention) error
}

// RunRetention removes what is older than its retention until ctx ends. A failure is logged, and the rest waits for the
// next time.
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

// Prune removes all rows that are too old now.
func (s *Service) Prune(ctx context.Context) error {
	now := s.now()
	return s.store.Prune(ctx, Retention{
		Changes: now.Add(-ChangeRetention), Tombstones: now.Add(-TombstoneRetention), Keys: now.Add(-KeyRetention),
		LogIns: now, UsedTokens: now.Add(-usedTokenRetention),
	})
}
