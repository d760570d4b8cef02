package main

import (
	"context"
	"log/slog"
	"time"
)

// pruner is the part of the inbox that removes old ids.
type pruner interface {
	Prune(ctx context.Context, olderThan time.Duration) (int64, error)
}

// prune removes old event ids until ctx ends.
func prune(ctx context.Context, ids pruner, log *slog.Logger) error {
	for {
		switch n, err := ids.Prune(ctx, inboxRetention); {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // the service was stopped
		case err != nil:
			log.WarnContext(ctx, "old event ids cannot be removed; the next round tries again", "error", err.Error())
		case n > 0:
			log.InfoContext(ctx, "old event ids removed", "count", n)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pruneInterval):
		}
	}
}
