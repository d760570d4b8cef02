package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/taskwire/taskwire/services/notification/internal/domain"
)

const (
	// inboxRetention is how long the id of an event is remembered: the broker keeps events for 7 days by default, and
	// one day is spare. The task's version fences events that arrive even later.
	inboxRetention = 8 * 24 * time.Hour
	// pruneInterval is the time between two removals of old rows. No promise depends on it.
	pruneInterval = time.Hour
)

// ids is the part of the inbox that removes old ids.
type ids interface {
	Prune(ctx context.Context, olderThan time.Duration) (int64, error)
}

// changes is the part of the store that removes old changes of the users' inboxes.
type changes interface {
	PruneChanges(ctx context.Context, before time.Time) (int64, error)
}

// prune removes old event ids and old changes until ctx ends. It logs a failure, and the next round removes the rest.
func prune(ctx context.Context, received ids, inboxes changes, log *slog.Logger) error {
	for {
		for what, remove := range map[string]func() (int64, error){
			"event ids": func() (int64, error) { return received.Prune(ctx, inboxRetention) },
			"changes of inboxes": func() (int64, error) {
				return inboxes.PruneChanges(ctx, time.Now().Add(-domain.ChangeRetention))
			},
		} {
			switch n, err := remove(); {
			case ctx.Err() != nil:
				return nil //nolint:nilerr // the service was stopped
			case err != nil:
				log.WarnContext(ctx, "old rows cannot be removed; the next round tries again", "rows", what, "error", err.Error())
			case n > 0:
				log.InfoContext(ctx, "old rows removed", "rows", what, "count", n)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pruneInterval):
		}
	}
}
