package postgres

import (
	"strings"

	"github.com/taskwire/taskwire/services/task-api/internal/domain"
)

// newest begins the key of a place in a search that is ordered by the time of creation.
const newest = "newest "

// rank says how well a task fits the words. A word in the title counts ten times one in the description, one in a tag
// four times; words near one another count more. It depends on the task and the words only, so that a place in this
// order stays where it is while other tasks come and go.
const rank = `ts_rank('{0.1, 0.1, 0.4, 1}', search, ` + wordsSQL + `)`

// relevant reads one task more than the page of a search, the best first. More tasks than the bounds are not ranked: the
// newest come first. A search stays in the order that its first page had.
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

// rankedFew is the first page, and true, where the terms find few tasks.
func (l *listing) rankedFew() ([]listed, bool, error) {
	bound := int64(l.bounds.found)
	rows, err := l.ranked(l.bounds.found + 1)
	if err != nil || len(rows) > 0 {
		return rows, err == nil && rows[0].Found <= bound, err
	}
	n, err := l.count(l.termed(), l.bounds.found+1) // none of them passed the other filters
	return nil, n <= bound, err
}

// ranked reads one task more than the page from the first tasks that the terms find, the best first.
func (l *listing) ranked(first int) (rows []listed, err error) {
	found := l.db.Table("(?) AS tasks", limited(l.termed().Select("*"), first)).Select("*, count(*) OVER () AS found, "+rank+" AS place", l.user, l.q.Search)
	place := segment{key: "place", typ: "real"}
	tx := l.filter(l.beyond(l.own(l.db.Table("(?) AS tasks", found)), place, l.q.After))
	err = limited(l.inOrder(tx.Select(taskColumns+", found, CAST(place AS text) AS sort_key"), place), l.q.Limit+1).Find(&rows).Error
	return rows, err
}
