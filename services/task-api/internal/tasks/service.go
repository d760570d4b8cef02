package tasks

import (
	"context"
	"encoding/json"
	"time"

	"github.com/taskwire/taskwire/pkg/platform/batcher"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/publish"
)

// Store keeps tasks, the change log and the answers of requests with a key. It is safe for concurrent use.
type Store interface {
	Reader
	Deletions
	Pruner
	// Write runs decide in one transaction. Before it, the store takes the lock and Numbers change numbers of each
	// user that asks, looks the keys up and reads the tasks that are asked for. After it, the store commits what decide
	// left in tx, with the events. With wait it waits for the users' locks; without, it skips a user whose lock is
	// held, and Seq of its answers is nil. Answers come in the order of the questions.
	//
	// An error of decide rolls back and is returned as it is. A transaction in which decide left nothing is rolled
	// back, and Write returns nil. An error that matches ErrRefused says that the database refused a value.
	Write(ctx context.Context, asks []Ask, wait bool, decide func(tx Tx, answers []Answer) error) error
}

// Reader reads. Nothing that it returns is locked.
type Reader interface {
	// Get returns a task that is not deleted, or domain.ErrNotFound.
	Get(ctx context.Context, userID, taskID string) (domain.Task, error)
	// List returns a page of the user's tasks, and the place where it ends if there are more.
	List(ctx context.Context, userID string, q domain.Query) ([]domain.Task, *domain.Place, error)
	// Sync returns the tasks that changed after since, each as it is now.
	Sync(ctx context.Context, userID string, since int64, limit int) (SyncPage, error)
	// Changes returns the user's changes after since. ErrTooOld says that some of them were pruned.
	Changes(ctx context.Context, userID string, since int64, limit int) (ChangePage, error)
	// Heads returns the newest seq of each of the users that exist.
	Heads(ctx context.Context, userIDs []string) (map[string]int64, error)
	// Tags counts the tags of the user's tasks, the most used first.
	Tags(ctx context.Context, userID string) ([]TagCount, error)
	// Stats counts the user's tasks.
	Stats(ctx context.Context, userID string) (Stats, error)
}

// SyncPage is a part of the user's tasks in the order of their newest change. With HasMore false the client has
// everything up to Next, the user's newest seq.
type SyncPage struct {
	Tasks   []domain.Task // with tombstones
	Next    int64         // where the next page begins; negative inside a snapshot, for the client to pass back as it is
	HasMore bool
}

// ChangePage is a part of a user's change log, oldest first, without a gap.
type ChangePage struct {
	Items   []json.RawMessage // TaskUpdateEvents, as they were published
	Head    int64             // the user's newest seq
	Oldest  int64             // the oldest seq still kept; 0 while nothing was pruned
	HasMore bool
}

// TagCount is a tag and how many of the user's tasks have it.
type TagCount struct {
	Tag   string `json:"tag"`
	Count int64  `json:"count"`
}

// Stats are counts over the user's tasks. Every status and priority is present, also with 0.
type Stats struct {
	Total      int64            `json:"total"`
	ByStatus   map[string]int64 `json:"by_status"`
	ByPriority map[string]int64 `json:"by_priority"` // of the open tasks
	Overdue    int64            `json:"overdue"`
	DueIn24h   int64            `json:"due_in_24h"` // open and due within the next 24 hours
	Recurring  int64            `json:"recurring"`  // open and recurring
}

// Service is the use cases. It is safe for concurrent use.
type Service struct {
	Reader
	store   Store
	events  *publish.Publisher
	now     func() time.Time
	creates *batcher.Batcher[*request]
}

// New returns the use cases over a store.
func New(store Store, events *publish.Publisher, now func() time.Time) *Service {
	s := &Service{Reader: store, store: store, events: events, now: now}
	s.creates = batcher.New(s.createBatches())
	return s
}
