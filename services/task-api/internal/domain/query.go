package domain

import (
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

// Sort is the order of a list. Equal tasks are ordered by id, in the same direction.
type Sort string

// The orders of a list. SortDue puts tasks without a due date last, in both directions. SortTitle ignores case. SortRelevance is
// only for a search. It puts the best match first, or the newest task if the search finds very many.
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

// Page sizes of a list. DefaultLimit fills a screen. MaxLimit bounds the answer to some hundred kilobytes of usual tasks.
const DefaultLimit, MaxLimit = 50, 200

// Page sizes of sync. They are larger, because a client that was away for long needs few round trips.
const DefaultSyncLimit, MaxSyncLimit = 200, 500

// Query selects and orders a user's tasks. A task must match all filters. A zero filter matches every task.
type Query struct {
	Statuses            []events.Status   // any of them
	Priorities          []events.Priority // any of them
	Tags                []string          // all of them
	Search              string            // each of its words must begin a word of title, tags or description
	DueBefore, DueAfter *time.Time        // due < DueBefore, due >= DueAfter
	Overdue             *bool             // open and due before now
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
