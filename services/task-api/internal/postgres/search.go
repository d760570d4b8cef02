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
	after := l.q.After
	many := after != nil && strings.HasPrefix(after.Key, newest)
	if after == nil {
		n, err := l.count(l.termed(), l.bounds.found+1)
		if err != nil {
			return nil, err
		}
		many = n > int64(l.bounds.found)
	}
	l.q.Descending = true
	if !many {
		return l.ranked()
	}
	if after != nil {
		l.q.After = &domain.Place{Key: strings.TrimPrefix(after.Key, newest), ID: after.ID}
	}
	rows, err := l.walk(orders[domain.SortCreatedAt])
	for i := range rows {
		rows[i].SortKey = newest + rows[i].SortKey
	}
	return rows, err
}

func (l *listing) ranked() (rows []listed, err error) {
	found := l.termed().Select("*, "+rank+" AS place", l.user, l.q.Search).Limit(fence)
	place := segment{key: "place", typ: "real"}
	tx := l.filter(l.beyond(l.own(l.db.Table("(?) AS tasks", found)), place, l.q.After))
	err = l.inOrder(tx.Select(taskColumns+", CAST(place AS text) AS sort_key"), place).Limit(l.q.Limit + 1).Find(&rows).Error
	return rows, err
}
