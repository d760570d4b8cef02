package tasks

import (
	"context"
	"encoding/json"

	"github.com/taskwire/taskwire/services/task-api/internal/domain"
)

// Reader reads without locks, so the result may be outdated when it is returned.
type Reader interface {
	// Get returns a task that is not deleted, or domain.ErrNotFound.
	Get(ctx context.Context, userID, taskID string) (domain.Task, error)
	// List returns a page of the user's tasks. If there are more, it also returns the place where the page ends.
	List(ctx context.Context, userID string, q domain.Query) ([]domain.Task, *domain.Place, error)
	// Sync returns the current state of the tasks that changed after since. It returns ErrTooOld when the client must start
	// over at 0.
	Sync(ctx context.Context, userID string, since int64, limit int) (SyncPage, error)
	// Changes returns the user's changes after since, or ErrTooOld when some of them were pruned.
	Changes(ctx context.Context, userID string, since int64, limit int) (ChangePage, error)
	// Heads returns the newest seq of each user. Users that do not exist are missing from the result.
	Heads(ctx context.Context, userIDs []string) (map[string]int64, error)
	// Tags returns the tags of the user's tasks with their counts, the most frequent first. Spellings that differ only in
	// case are one tag. It has the spelling that is used most.
	Tags(ctx context.Context, userID string) ([]TagCount, error)
	// Stats returns counts over the user's tasks.
	Stats(ctx context.Context, userID string) (Stats, error)
}

// SyncPage is a part of the user's tasks in the order of their newest change. When HasMore is false, the client has every
// change up to Next, the user's newest seq.
type SyncPage struct {
	Tasks   []domain.Task // with tombstones
	Next    int64         // the since of the next page, which the client sends back unchanged; negative inside a snapshot
	HasMore bool
}

// ChangePage is a part of a user's change log, oldest first, without gaps.
type ChangePage struct {
	Items   []json.RawMessage // the published TaskUpdateEvents, byte for byte
	Head    int64             // the user's newest seq
	Oldest  int64             // the oldest seq that is kept; 0 before the first pruning
	HasMore bool
	// EndedSessions are the user's sessions that ended while their access tokens may still be valid, newest first.
	EndedSessions []string
}

// TagCount is a tag and the number of the user's tasks that have it.
type TagCount struct {
	Tag   string `json:"tag"`
	Count int64  `json:"count"`
}

// Stats are counts over the user's tasks. The maps contain every status and priority, including those with the count 0.
type Stats struct {
	Total      int64            `json:"total"`
	ByStatus   map[string]int64 `json:"by_status"`
	ByPriority map[string]int64 `json:"by_priority"` // of the open tasks
	Overdue    int64            `json:"overdue"`
	DueIn24h   int64            `json:"due_in_24h"` // open and due within the next 24 hours
	Recurring  int64            `json:"recurring"`  // open and recurring
}
