package postgres

// This file decides how a page of a list is read: in the order of the list, or from the index of a filter.

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"gorm.io/gorm"
)

// bounds limit the rows that a filtered list reads before it tries another way: window in the order of the list, found
// from the index of a filter.
type bounds struct{ window, found int }

// usualBounds are the bounds of the service. Reading a window takes a few milliseconds. When a window does not contain a
// page, the filter selects a few tasks in a hundred, and its own index finds them faster. Sorting found rows takes at most
// a tenth of a second. A filter that finds more rows selects so many tasks that reading in the order of the list soon
// fills a page.
var usualBounds = bounds{window: 2000, found: 10_000}

// fence is the limit of a subquery that returns far fewer rows. A LIMIT keeps the planner from moving outer conditions
// into the subquery.
const fence = math.MaxInt32

// segment is a range of tasks that one index has in order: by key and id, or by id alone when key is "".
type segment struct{ key, typ, condition string }

// orders has the segments of each order, in sequence. The migrations create an index for each segment.
var orders = map[domain.Sort][]segment{
	domain.SortCreatedAt:   {{"created_at", "timestamptz", ""}},
	domain.SortUpdatedAt:   {{"updated_at", "timestamptz", ""}},
	domain.SortDue:         {{"due_instant", "timestamptz", "due_instant IS NOT NULL"}, {"", "", "due_instant IS NULL"}},
	domain.SortPriority:    {{"priority", "smallint", ""}},
	domain.SortTitle:       {{"title COLLATE title_order", "text", ""}},
	domain.SortPosition:    {{"position", "double precision", ""}},
	domain.SortCompletedAt: {{"completed_at", "timestamptz", "completed_at IS NOT NULL"}, {"", "", "completed_at IS NULL"}},
	domain.SortDeletedAt:   {{"deleted_at", "timestamptz", ""}},
}

// undated is the key of a place in the segment of tasks without a due date or a completion.
const undated = "infinity"

// listed is a row of a list with its key in the order.
type listed struct {
	Row     taskRow `gorm:"embedded"`
	SortKey string
	Found   int64 // only in a search: the number of tasks that the index found
}

// List implements tasks.Reader. It tries these ways in turn, until one of them fills the page:
//
//  1. It reads a window in the order of the list.
//  2. It reads the tasks that the most selective filter finds in its own index, and sorts them. It does so only when they
//     are at most bounds.found.
//  3. It reads all tasks in the order of the list. Then every filter selects many tasks, so that a page is full soon.
//
// The statements of a page read one snapshot.
func (s *Store) List(ctx context.Context, userID string, q domain.Query) ([]domain.Task, *domain.Place, error) {
	segments, ok := orders[q.Sort]
	if !ok && q.Sort != domain.SortRelevance || q.Sort == domain.SortDeletedAt && !q.Deleted {
		return nil, nil, fmt.Errorf("list tasks: unknown order %q", q.Sort)
	}
	l := &listing{Store: s, user: userID, q: q, now: s.now()}
	var rows []listed
	read := func(db *gorm.DB) (err error) {
		l.db = db
		if l.days, err = l.dueDays(); err != nil {
			return err
		}
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

// walk reads the segments in turn, up to one task more than the page.
func (l *listing) walk(segments []segment) (rows []listed, err error) {
	after := l.q.After
	if len(segments) > 1 && after != nil && strings.HasSuffix(after.Key, undated) { // an earlier version of the service wrote -infinity
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
		after = nil // read the next segment from its start
	}
	return rows, nil
}

// segment reads up to n tasks of a segment after a place.
func (l *listing) segment(seg segment, after *domain.Place, n int) ([]listed, error) {
	if l.q.Deleted { // at most the deletions of the last month, which one index has
		return l.page(limited(l.ordered(seg, after), fence), seg, nil, n)
	}
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
	source, err := l.selective()
	if err != nil {
		return nil, err
	}
	if source == nil {
		source, after = l.ordered(seg, after), nil
	}
	return l.page(source, seg, after, n)
}

// ordered returns the query for the user's tasks of a segment after a place.
func (l *listing) ordered(seg segment, after *domain.Place) *gorm.DB {
	return l.beyond(l.own(l.db.Table("tasks")), seg, after)
}

func (l *listing) own(tx *gorm.DB) *gorm.DB {
	if l.q.Deleted {
		return tx.Where("user_id = ? AND deleted_at >= ?", l.user, l.now.Add(-domain.RestoreWindow))
	}
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

// page reads the first n tasks of a source, in order, that the filters select.
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

// count returns the number of rows of a source, at most most.
func (l *listing) count(source *gorm.DB, most int) (n int64, err error) {
	err = l.db.Raw("SELECT count(*) FROM (?) AS few", limited(source.Select("1"), most)).Scan(&n).Error
	return n, err
}

// selective returns the query for the tasks that the first selective filter finds in its index, or nil when every filter
// finds more than bounds.found. A fence makes the planner use that index: its statistics say too little about the words
// and tags of one user.
func (l *listing) selective() (*gorm.DB, error) {
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
