package domain

import (
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

// Sort is the order of a list. Equal tasks are ordered by id, in the same direction.
type Sort string

// The orders of a list. SortDue and SortCompletedAt put tasks without a due date or a completion last, in both directions.
// SortTitle is the root collation of Unicode. SortDeletedAt is only for deleted tasks. SortRelevance is only for a search of
// other tasks. It puts the best match first, or the newest task if the search finds very many.
const (
	SortCreatedAt   Sort = "created_at"
	SortUpdatedAt   Sort = "updated_at"
	SortDue         Sort = "due"
	SortPriority    Sort = "priority"
	SortTitle       Sort = "title"
	SortPosition    Sort = "position"
	SortCompletedAt Sort = "completed_at"
	SortDeletedAt   Sort = "deleted_at"
	SortRelevance   Sort = "relevance"
)

// Sorts returns every order.
func Sorts() []Sort {
	return []Sort{SortCreatedAt, SortUpdatedAt, SortDue, SortPriority, SortTitle, SortPosition, SortCompletedAt, SortDeletedAt, SortRelevance}
}

// Page sizes of a list. DefaultLimit fills a screen. MaxLimit bounds the answer to some hundred kilobytes of usual tasks.
const DefaultLimit, MaxLimit = 50, 200

// Page sizes of sync. They are larger, because a client that begins, or was away for long, needs few round trips.
const DefaultSyncLimit, MaxSyncLimit = 200, 2000

// Query selects and orders a user's tasks. A task must match all filters. A zero filter matches every task.
type Query struct {
	Statuses            []events.Status   // any of them
	Priorities          []events.Priority // any of them
	Tags                []string          // all of them, in any spelling
	Search              string            // each of its words must begin a word of title, tags or description
	DueBefore, DueAfter *time.Time        // due < DueBefore, due >= DueAfter
	Due                 DueFilter         // the day on which the task is due, in the user's zone
	Overdue             *bool             // open and due before now
	CompletedBefore     *time.Time        // completed_at < CompletedBefore
	CompletedAfter      *time.Time        // completed_at >= CompletedAfter
	Deleted             bool              // deleted within RestoreWindow; otherwise not deleted
	UpdatedSince        *time.Time        // updated_at >= UpdatedSince
	Sort                Sort
	Descending          bool
	Limit               int
	After               *Place
}

// Place is the end of a page: the last task's sort value, as the database formats it, and its id.
type Place struct {
	Key string
	ID  string
}
