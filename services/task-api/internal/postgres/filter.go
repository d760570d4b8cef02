package postgres

// This file turns the filters of a list into conditions, and decides which filters an index can serve.

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/fold"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/tasks"
	"gorm.io/gorm"
)

// listing is the state of one call of List.
type listing struct {
	*Store
	db   *gorm.DB
	user string
	q    domain.Query
	now  time.Time
	days domain.Days // of q.Due
}

// filtered reports whether the query has a filter.
func (l *listing) filtered() bool {
	q := l.q
	return len(q.Statuses)+len(q.Priorities)+len(q.Tags) > 0 || q.Search != "" ||
		q.DueBefore != nil || q.DueAfter != nil || q.UpdatedSince != nil || q.Overdue != nil || q.Due != domain.DueFilter{} ||
		q.CompletedBefore != nil || q.CompletedAfter != nil
}

// dueDays returns the days of the filter in the user's zone. It reads the zone in the transaction of the list.
func (l *listing) dueDays() (domain.Days, error) {
	if l.q.Due == (domain.DueFilter{}) {
		return domain.Days{}, nil
	}
	var zone string
	if err := l.db.Raw(`SELECT timezone FROM users WHERE id = ?`, l.user).Scan(&zone).Error; err != nil {
		return domain.Days{}, fmt.Errorf("read the user's zone: %w", err)
	}
	if zone == "" {
		return domain.Days{}, tasks.ErrNoUser
	}
	return l.q.Due.Days(l.now, zone)
}

// openNow are the statuses of a task that can be overdue.
var openNow = []events.Status{events.StatusPending, events.StatusInProgress}

// filter adds the conditions of the query.
func (l *listing) filter(tx *gorm.DB) *gorm.DB {
	q := l.q
	if len(q.Statuses) > 0 {
		tx = tx.Where("status IN ?", q.Statuses)
	}
	if len(q.Priorities) > 0 {
		tx = tx.Where("priority IN ?", ranks(q.Priorities))
	}
	if len(q.Tags) > 0 {
		for _, tag := range q.Tags {
			tx = tx.Where("search @@ CAST(? AS tsquery)", anyOf(l.user, tagTerm, spellings(tag)...))
		}
	}
	if q.Search != "" {
		tx = tx.Where("search @@ "+wordsSQL, wordsQuery(l.user, q.Search))
	}
	if q.UpdatedSince != nil {
		tx = tx.Where("updated_at >= ?", *q.UpdatedSince)
	}
	tx = l.completedBetween(l.dueOn(tx))
	if q.Overdue != nil {
		condition := "(due_instant < ? AND status IN ?)"
		if !*q.Overdue {
			condition = "coalesce(due_instant < ? AND status IN ?, false) = false"
		}
		tx = tx.Where(condition, l.now, openNow)
	}
	return l.dueBetween(tx)
}

func (l *listing) dueBetween(tx *gorm.DB) *gorm.DB {
	if l.q.DueBefore != nil {
		tx = tx.Where("due_instant < ?", *l.q.DueBefore)
	}
	if l.q.DueAfter != nil {
		tx = tx.Where("due_instant >= ?", *l.q.DueAfter)
	}
	return tx
}

// wordsSQL is the tsquery of a parameter. It is a subquery, so that the planner does not see the words: from its statistics
// over all users it would expect far more rows, and read the rows of the user instead of the index.
const wordsSQL = `(SELECT CAST(? AS tsquery))`

// zoneReach is more than the distance between the end of a day in any zone and the same day in any other zone. With the
// index of due_instant, it finds the tasks of a day whatever their zones.
const zoneReach = 36 * time.Hour

// dueOn adds the condition for the days of the filter: the date of a task that has one, else the day of its instant in the
// user's zone.
func (l *listing) dueOn(tx *gorm.DB) *gorm.DB {
	if d := l.days; d.Start != nil {
		tx = tx.Where("(due_date >= CAST(? AS date) OR due_at >= ?)", d.From, *d.Start)
	}
	if d := l.days; d.End != nil {
		tx = tx.Where("(due_date <= CAST(? AS date) OR due_at < ?)", d.To, *d.End)
	}
	return tx
}

func (l *listing) dueNear(tx *gorm.DB) *gorm.DB {
	if l.days.Start != nil {
		tx = tx.Where("due_instant >= ?", l.days.Start.Add(-zoneReach))
	}
	if l.days.End != nil {
		tx = tx.Where("due_instant < ?", l.days.End.Add(zoneReach))
	}
	return tx
}

func (l *listing) completedBetween(tx *gorm.DB) *gorm.DB {
	if l.q.CompletedBefore != nil {
		tx = tx.Where("completed_at < ?", *l.q.CompletedBefore)
	}
	if l.q.CompletedAfter != nil {
		tx = tx.Where("completed_at >= ?", *l.q.CompletedAfter)
	}
	return tx
}

// indexed returns a query for each filter that has an index, the most selective kind of filter first.
func (l *listing) indexed() (sources []func() *gorm.DB) {
	q, overdue := l.q, l.q.Overdue != nil && *l.q.Overdue
	if l.hasTerms() {
		sources = append(sources, l.termed)
	}
	if q.DueBefore != nil || q.DueAfter != nil || overdue || l.days.Start != nil || l.days.End != nil {
		sources = append(sources, func() *gorm.DB {
			tx := l.dueNear(l.dueBetween(l.own(l.db.Table("tasks"))))
			if overdue {
				tx = tx.Where("due_instant < ?", l.now)
			}
			return tx
		})
	}
	if q.CompletedBefore != nil || q.CompletedAfter != nil {
		sources = append(sources, func() *gorm.DB { return l.completedBetween(l.own(l.db.Table("tasks"))) })
	}
	if q.UpdatedSince != nil {
		sources = append(sources, func() *gorm.DB {
			return l.own(l.db.Table("tasks")).Where("updated_at >= ?", *q.UpdatedSince)
		})
	}
	return sources
}

func (l *listing) hasTerms() bool {
	q := l.q
	return q.Search != "" || len(q.Tags)+len(q.Statuses)+len(q.Priorities) > 0 || (q.Overdue != nil && *q.Overdue)
}

// termed returns the query for the tasks that have the words, tags, statuses and priorities of the query, by the index
// tasks_search. The terms contain the end of the user's id. The query has no condition on user_id, because the planner
// could then choose another index. The caller must add that condition.
func (l *listing) termed() *gorm.DB {
	var groups []string
	for _, tag := range l.q.Tags {
		groups = append(groups, anyOf(l.user, tagTerm, spellings(tag)...))
	}
	if len(l.q.Statuses) > 0 {
		groups = append(groups, anyOf(l.user, statusTerm, l.q.Statuses...))
	}
	if l.q.Overdue != nil && *l.q.Overdue {
		groups = append(groups, anyOf(l.user, statusTerm, openNow...))
	}
	if len(l.q.Priorities) > 0 {
		groups = append(groups, anyOf(l.user, priorityTerm, strs(ranks(l.q.Priorities))...))
	}
	tx := l.db.Table("tasks").Where("deleted_at IS NULL")
	if terms := strings.Join(groups, " & "); terms != "" {
		tx = tx.Where("search @@ CAST(? AS tsquery)", terms)
	}
	if l.q.Search != "" {
		tx = tx.Where("search @@ "+wordsSQL, wordsQuery(l.user, l.q.Search))
	}
	return tx
}

// spellings returns the forms under which the terms of a row may have a tag: the folded one, and the given one in a row of an
// earlier version of the service.
func spellings(tag string) []string { return []string{fold.Tag(tag), tag} }

// anyOf returns a tsquery for tasks with at least one of the values.
func anyOf[S ~string](user, kind string, values ...S) string {
	own := searchKey(user)
	terms := make([]string, len(values))
	for i, v := range values {
		terms[i] = "'" + own + kind + termQuote.Replace(string(v)) + "'"
	}
	return "(" + strings.Join(terms, " | ") + ")"
}

func ranks(list []events.Priority) []int {
	out := make([]int, len(list))
	for i, p := range list {
		out[i] = slices.Index(events.Priorities(), p) + 1
	}
	return out
}

func strs(list []int) []string {
	out := make([]string, len(list))
	for i, n := range list {
		out[i] = strconv.Itoa(n)
	}
	return out
}
