package tasks

import (
	"time"

	"github.com/taskwire/taskwire/pkg/platform/batcher"
	"github.com/taskwire/taskwire/services/task-api/internal/publish"
)

// Service implements the use cases. It is safe for concurrent use.
type Service struct {
	Reader
	store   Store
	events  *publish.Publisher
	now     func() time.Time
	creates *batcher.Batcher[*request]
}

// New returns a service over a store.
func New(store Store, events *publish.Publisher, now func() time.Time) *Service {
	s := &Service{Reader: store, store: store, events: events, now: now}
	s.creates = batcher.New(s.createBatches())
	return s
}
