package domain

// This file has the queries of the log: their filters, their order and their pages.

import (
	"context"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

const (
	// DefaultLimit and MaxLimit bound a page, as in all lists of the API.
	DefaultLimit = 50
	MaxLimit     = 200
)

// Filter selects entries. A zero field does not filter.
type Filter struct {
	UserID     string // the owner of the entries; "" for all users
	TaskID     string
	EventTypes []string  // any of them
	Actors     []string  // any of them
	Fields     []string  // any of these fields of the task was changed
	Search     string    // each of its words begins a word of the task
	Since      time.Time // occurred at or after
	Until      time.Time // occurred before
	Newest     bool      // by position, descending; otherwise ascending
	After      *int64    // the last position of the page before
	Limit      int       // 1 to MaxLimit
}

// HistoryFilter selects the history of one task.
type HistoryFilter struct {
	UserID string // the owner of the entries; "" for all users
	TaskID string
	After  *HistoryKey // the last entry of the page before
	Limit  int         // 1 to MaxLimit
}

// HistoryKey orders a task's history by version, then by arrival. Events of the original form all have version 0.
type HistoryKey struct{ TaskVersion, Position int64 }

// Page is a part of a list. More reports whether another page follows, after the position End.
type Page struct {
	Entries []Entry
	More    bool
	End     int64
}

// Reader reads the log.
type Reader interface {
	// List returns up to limit+1 entries.
	List(ctx context.Context, f Filter, limit int) ([]Entry, error)
	// History returns up to limit+1 entries of a task, by HistoryKey.
	History(ctx context.Context, f HistoryFilter, limit int) ([]Entry, error)
	// ByPosition and ByEventID return ErrNotFound when the log has no such entry.
	ByPosition(ctx context.Context, position int64) (Entry, error)
	ByEventID(ctx context.Context, eventID string) (Entry, error)
	// Size returns the number of entries.
	Size(ctx context.Context) (int64, error)
	// ReadHashes returns the stored hashes of the tree at indexes, in their order.
	ReadHashes(ctx context.Context, indexes []int64) ([]tlog.Hash, error)
}

// List returns a page of entries by position. A page of a search may be shorter than its limit although another one follows.
func (l *Log) List(ctx context.Context, f Filter) (Page, error) {
	if f.Search != "" {
		return l.search(ctx, f)
	}
	found, err := l.reader.List(ctx, f, f.Limit+1)
	return pageOf(found, f.Limit), err
}

// History returns a page of one task's entries, by version and then by position. The page is empty for
// an unknown task and for a task of another user.
func (l *Log) History(ctx context.Context, f HistoryFilter) (Page, error) {
	found, err := l.reader.History(ctx, f, f.Limit+1)
	return pageOf(found, f.Limit), err
}

func pageOf(found []Entry, limit int) Page {
	if len(found) > limit {
		return Page{Entries: found[:limit], More: true, End: found[limit-1].Position}
	}
	return Page{Entries: found}
}
