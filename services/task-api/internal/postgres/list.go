package postgres

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"gorm.io/gorm"
)

// bounds are what a filtered list may read before it tries another way.
type bounds struct{ window, found int }

// usualBounds: a window, in the order of the list, is some milliseconds; a filter that fewer tasks in a hundred pass
// than fill a page of it is better served by another index. What an index finds is sorted, a tenth of a second at most;
// a filter that finds more passes so many tasks that a walk in the order of the list meets a page of them.
var usualBounds = bounds{window: 2000, found: 10_000}

// fence, the limit of a subquery that has far fewer rows, keeps the conditions around it out of it.
const fence = math.MaxInt32

// segment is a run of tasks that an index has in order: by key and id, or by id alone where key is "".
type segment struct{ key, typ, condition string }

// orders are the segments of each order, one after the other. The index of each is in the migrations.
var orders = map[domain.Sort][]segment{
	domain.SortCreatedAt: {{"created_at", "timestamptz", ""}},
	domain.SortUpdatedAt: {{"updated_at", "timestamptz", ""}},
	domain.SortDue:       {{"due_instant", "timestamptz", "due_instant IS NOT NULL"}, {"", "", "due_instant IS NULL"}},
	domain.SortPriority:  {{"priority", "smallint", ""}},
	domain.SortTitle:     {{`lower(title) COLLATE "C"`, "text", ""}},
	domain.SortPosition:  {{"position", "double precision", ""}},
}

// undated is the key of a place among tasks without a due date.
const undated = "infinity"

// listed is a row of a list with its key in the order.
type listed struct {
	Row     taskRow `gorm:"embedded"`
	SortKey string
	Found   int64 // of a search: how many tasks the index found
}

// List returns a page of the user's tasks, and the place it ends at when there are more.
//
// Whatever the filters, it reads a bounded part of the tasks, or it walks them in order because the filters pass many:
// first a window in the order of the list; where that does not fill the page, all that the most telling filter finds
// in its own index, sorted; where that is too much, the whole order. The statements of a page read one snapshot.
func (s *Store) List(ctx context.Context, userID string, q domain.Query) ([]domain.Task, *domain.Place, error) {
	segments, ok := orders[q.Sort]
	if !ok && q.Sort != domain.SortRelevance {
		return nil, nil, fmt.Errorf("list tasks: no order %q", q.Sort)
	}
	l := &listing{Store: s, user: userID, q: q, now: s.now()}
	var rows []listed
	read := func(db *gorm.DB) (err error) {
		l.db = db
		if q.Sort == domain.SortRelevance {
			rows, err = l.relevant()
			return err
		}
		rows, err = l.walk(segments)
		return err
	}
	var err error
	if db := s.db.WithContext(ctx); len(segments) == 1 && !l.filtered() {
		err = read(db)
	} else {
		err = db.Transaction(read, snapshot)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("list tasks: %w", err)
	}
	var end *domain.Place
	if len(rows) > q.Limit {
		rows = rows[:q.Limit]
		last := rows[q.Limit-1]
		end = &domain.Place{Key: last.SortKey, ID: last.Row.ID}
	}
	list := make([]domain.Task, len(rows))
	for i, r := range rows {
		list[i] = r.Row.task()
	}
	return list, end, nil
}

// walk reads one task more than the page, segment after segment.
func (l *listing) walk(segments []segment) (rows []listed, err error) {
	after := l.q.After
	if len(segments) > 1 && after != nil && strings.HasSuffix(after.Key, undated) { // the first version wrote -infinity too
		segments = segments[1:]
	}
	for _, seg := range segments {
		more, err := l.segment(seg, after, l.q.Limit+1-len(rows))
		if err != nil {
			return nil, err
		}
		if rows = append(rows, more...); len(rows) > l.q.Limit {
			break
		}
		after = nil // the next segment from its beginning
	}
	return rows, nil
}

// segment reads up to n tasks after a place.
func (l *listing) segment(seg segment, after *domain.Place, n int) ([]listed, error) {
	if !l.filtered() {
		return l.page(l.ordered(seg, after), seg, nil, n)
	}
	window := limited(l.inOrder(l.ordered(seg, after), seg), l.bounds.window)
	rows, err := l.page(window, seg, nil, n)
	if err != nil || len(rows) == n {
		return rows, err
	}
	if all, err := l.count(l.ordered(seg, after), l.bounds.window); err != nil || all < int64(l.bounds.window) {
		return rows, err
	}
	source, err := l.telling()
	if err != nil {
		return nil, err
	}
	if source == nil {
		source, after = l.ordered(seg, after), nil
	}
	return l.page(source, seg, after, n)
}

// ordered is the user's tasks of a segment after a place.
func (l *listing) ordered(seg segment, after *domain.Place) *gorm.DB {
	return l.beyond(l.own(l.db.Table("tasks")), seg, after)
}

func (l *listing) own(tx *gorm.DB) *gorm.DB {
	return tx.Where("user_id = ? AND deleted_at IS NULL", l.user)
}

func (l *listing) beyond(tx *gorm.DB, seg segment, after *domain.Place) *gorm.DB {
	if seg.condition != "" {
		tx = tx.Where(seg.condition)
	}
	beyond := ">"
	if l.q.Descending {
		beyond = "<"
	}
	switch {
	case after == nil:
		return tx
	case seg.key == "":
		return tx.Where("id "+beyond+" CAST(? AS uuid)", after.ID)
	}
	return tx.Where("("+seg.key+", id) "+beyond+" (CAST(? AS "+seg.typ+"), CAST(? AS uuid))", after.Key, after.ID)
}

func (l *listing) inOrder(tx *gorm.DB, seg segment) *gorm.DB {
	direction := ""
	if l.q.Descending {
		direction = " DESC"
	}
	if seg.key != "" {
		tx = tx.Order(seg.key + direction)
	}
	return tx.Order("id" + direction)
}

// page reads the first n tasks of a source that pass the filters, in order.
func (l *listing) page(source *gorm.DB, seg segment, after *domain.Place, n int) (rows []listed, err error) {
	key, typed := "'"+undated+"'", segment{}
	if seg.key != "" {
		key, typed = "CAST(place AS text)", segment{key: "place"}
		source = source.Select("*, " + seg.key + " AS place")
	} else {
		source = source.Select("*")
	}
	tx := l.db.Table("(?) AS tasks", source)
	tx = l.filter(l.beyond(l.own(tx), seg, after))
	err = limited(l.inOrder(tx.Select(taskColumns+", "+key+" AS sort_key"), typed), n).Find(&rows).Error
	return rows, err
}

// count counts the rows of a source up to most.
func (l *listing) count(source *gorm.DB, most int) (n int64, err error) {
	err = l.db.Raw("SELECT count(*) FROM (?) AS few", limited(source.Select("1"), most)).Scan(&n).Error
	return n, err
}

// telling is what the first filter finds that finds few tasks, nil if each finds many. The index is made to be used:
// what the planner knows of one user's words and tags is too little to choose by.
func (l *listing) telling() (*gorm.DB, error) {
	for _, source := range l.indexed() {
		n, err := l.count(source(), l.bounds.found+1)
		if err != nil {
			return nil, err
		}
		if n <= int64(l.bounds.found) {
			return limited(source(), fence), nil
		}
	}
	return nil, nil
}
