package tasks

import (
	"time"

	"github.com/taskwire/taskwire/pkg/platform/batcher"
	"github.com/taskwire/taskwire/services/task-api/internal/publish"
)

// DefaultQuota is how many tasks an account may have that are not deleted. It is some times what a person writes in a
// lifetime, and with it the lists and searches of an account stay within their times (docs/figures.md).
const DefaultQuota = 100_000

// Service implements the use cases. It is safe for concurrent use.
type Service struct {
	Reader
	store   Store
	events  *publish.Publisher
	now     func() time.Time
	quota   int64 // 0: none
	creates *batcher.Batcher[*request]
}

// New returns a service over a store. quota is the number of tasks that an account may have; with 0 there is no limit.
func New(store Store, events *publish.Publisher, now func() time.Time, quota int64) *Service {
	s := &Service{Reader: store, store: store, events: events, now: now, quota: quota}
	s.creates = batcher.New(s.createBatches())
	return s
}
