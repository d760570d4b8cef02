package postgres

// This file decides the order of a search and its pages.

import (
	"strings"

	"github.com/taskwire/taskwire/services/task-api/internal/domain"
)

// newest is the prefix of a place's key in a search that is ordered by the time of creation.
const newest = "newest "

// rank is the SQL for how well a task matches the words. A word in the title has ten times the weight of a word in the
// description, and a word in a tag four times. Words that are close together increase the rank. The rank depends only on
// the task and the words, so a place stays valid while other tasks are created and deleted.
const rank = `ts_rank('{0.1, 0.1, 0.4, 1}', search, ` + wordsSQL + `)`

// relevant reads one task more than the page of a search, the best match first. When the index finds more than
// bounds.found tasks, they are not ranked, and the newest come first. All pages of a search have the order of the first
// page.
func (l *listing) relevant() ([]listed, error) {
	l.q.Descending = true
	after := l.q.After
	switch {
	case after == nil:
		rows, few, err := l.rankedFew()
		if err != nil || few {
			return rows, err
		}
	case strings.HasPrefix(after.Key, newest):
		l.q.After = &domain.Place{Key: strings.TrimPrefix(after.Key, newest), ID: after.ID}
	default:
		return l.ranked(fence)
	}
	rows, err := l.walk(orders[domain.SortCreatedAt])
	for i := range rows {
		rows[i].SortKey = newest + rows[i].SortKey
	}
	return rows, err
}

// rankedFew returns the first page of a ranked search. It reports whether the terms find at most bounds.found tasks. If
// they find more, the page is not valid.
func (l *listing) rankedFew() ([]listed, bool, error) {
	bound := int64(l.bounds.found)
	rows, err := l.ranked(l.bounds.found + 1)
	if err != nil || len(rows) > 0 {
		return rows, err == nil && rows[0].Found <= bound, err
	}
	n, err := l.count(l.termed(), l.bounds.found+1) // the other filters excluded all of them
	return nil, n <= bound, err
}

// ranked ranks the first tasks that the terms find. It returns one task more than the page, the best match first.
func (l *listing) ranked(first int) (rows []listed, err error) {
	found := l.db.Table("(?) AS tasks", limited(l.termed().Select("*"), first)).Select("*, count(*) OVER () AS found, "+rank+" AS place", wordsQuery(l.user, l.q.Search))
	place := segment{key: "place", typ: "real"}
	tx := l.filter(l.beyond(l.own(l.db.Table("(?) AS tasks", found)), place, l.q.After))
	err = limited(l.inOrder(tx.Select(taskColumns+", found, CAST(place AS text) AS sort_key"), place), l.q.Limit+1).Find(&rows).Error
	return rows, err
}
