package domain

import (
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

// Sort is what a list is ordered by; ties are ordered by id, in the same direction.
type Sort string

// The orders of a list. SortDue puts tasks without a due date last, in both directions. SortTitle ignores case.
// SortRelevance, of a search only, puts what fits best first, or the newest where very many tasks are found.
const (
	SortCreatedAt Sort = "created_at"
	SortUpdatedAt Sort = "updated_at"
	SortDue       Sort = "due"
	SortPriority  Sort = "priority"
	SortTitle     Sort = "title"
	SortPosition  Sort = "position"
	SortRelevance Sort = "relevance"
)

// Sorts returns every order.
func Sorts() []Sort {
	return []Sort{SortCreatedAt, SortUpdatedAt, SortDue, SortPriority, SortTitle, SortPosition, SortRelevance}
}

// Page sizes of a list: DefaultLimit fills a screen, MaxLimit bounds the answer to some hundred kilobytes of usual
// tasks.
const DefaultLimit, MaxLimit = 50, 200

// Page sizes of sync: a client that was away for long wants few round trips.
const DefaultSyncLimit, MaxSyncLimit = 200, 500

// Query says which of a user's tasks are listed and how. All filters hold at once; a zero filter does not filter.
type Query struct {
	Statuses            []events.Status   // any of them
	Priorities          []events.Priority // any of them
	Tags                []string          // all of them
	Search              string            // words that words of title, tags and description begin with
	DueBefore, DueAfter *time.Time        // due < DueBefore, due >= DueAfter
	Overdue             *bool             // open and due before now
	UpdatedSince        *time.Time        // updated_at >= UpdatedSince
	Sort                Sort
	Descending          bool
	Limit               int
	After               *Place
}

// Place is where a page ended: the last task's value of the sort order, as the database writes it, and its id.
type Place struct {
	Key string
	ID  string
}
