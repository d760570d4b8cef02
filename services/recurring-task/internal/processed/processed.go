// Package processed stores the ids of processed events in the Dapr state store.
//
// Promise: an id that was added is found for seven days.
package processed

import (
	"context"
	"fmt"
	"time"

	"github.com/taskwire/taskwire/pkg/platform/dapr"
	"github.com/taskwire/taskwire/services/recurring-task/internal/domain"
)

// ttl is how long the broker keeps an event by default. It cannot deliver the event again later.
const ttl = 7 * 24 * time.Hour

// Store is the part of the Dapr client that keeps state.
type Store interface {
	GetState(ctx context.Context, key string) (value []byte, etag string, err error)
	SaveState(ctx context.Context, key string, value []byte, opts ...dapr.StateOption) error
}

// Events is the set of processed events.
type Events struct{ store Store }

// New makes the set. The sidecar separates the keys of the apps.
func New(store Store) *Events { return &Events{store: store} }

var _ domain.Processed = (*Events)(nil)

func key(eventID string) string { return "processed:" + eventID }

// Has reports whether the event was added.
func (e *Events) Has(ctx context.Context, eventID string) (bool, error) {
	value, _, err := e.store.GetState(ctx, key(eventID))
	if err != nil {
		return false, fmt.Errorf("look up event %s: %w", eventID, err)
	}
	return len(value) > 0, nil
}

// Add adds the event. Adding it again renews its seven days.
func (e *Events) Add(ctx context.Context, eventID string) error {
	if err := e.store.SaveState(ctx, key(eventID), []byte(`true`), dapr.WithTTL(ttl)); err != nil {
		return fmt.Errorf("remember event %s: %w", eventID, err)
	}
	return nil
}
