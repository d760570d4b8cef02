package httpapi

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/fold"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
)

// maxSearch bounds q, in characters. People type shorter searches.
const maxSearch = 200

// taskYears bounds the years of a due date.
var taskYears = httpx.Years{First: domain.MinYear, Last: domain.MaxYear}

// readQuery reads the query of a list of tasks. It returns the cursor separately, because a cursor is signed with the query.
func readQuery(c *gin.Context) (q domain.Query, cursor string, err error) {
	p := httpx.NewQuery(c)
	q.Statuses = httpx.Choices(p, "status", events.Statuses())
	q.Priorities = httpx.Choices(p, "priority", events.Priorities())
	for _, tag := range p.Texts("tag", events.MaxTags) {
		tag, message := domain.Line(tag, 1, events.MaxTag)
		if message != "" {
			p.Refuse("tag", message)
		}
		q.Tags = append(q.Tags, tag)
	}
	q.Search = readSearch(p)
	q.DueBefore, q.DueAfter, q.UpdatedSince = readInstant(p, "due_before"), readInstant(p, "due_after"), readInstant(p, "updated_since")
	q.CompletedBefore, q.CompletedAfter = readInstant(p, "completed_before"), readInstant(p, "completed_after")
	readDue(p, &q)
	if deleted := p.Boolean("deleted"); deleted != nil {
		q.Deleted = *deleted
	}
	q.Sort, q.Descending = readSort(p, q)
	q.Limit = p.Limit(domain.DefaultLimit, domain.MaxLimit)
	cursor = p.Cursor()
	return q, cursor, p.Err()
}

// readInstant reads an instant, or a date as the start of that day in UTC. It truncates to the precision of the database.
func readInstant(p *httpx.Query, name string) *time.Time {
	t := p.InstantOrDate(name, taskYears)
	if t == nil {
		return nil
	}
	return new(domain.Instant(*t))
}

// readSearch reads the text of a search.
func readSearch(p *httpx.Query) string {
	text, given := p.Text("q")
	if !given {
		return ""
	}
	search, message := domain.Line(text, 1, maxSearch)
	if message != "" {
		p.Refuse("q", message)
	}
	switch words := len(fold.Distinct(search)); {
	case words == 0:
		p.Refuse("q", "must have a letter, a digit or a symbol: punctuation, white space and accents alone are not searched")
	case words > fold.MaxWords:
		p.Refuse("q", fmt.Sprintf("must have at most %d different words", fold.MaxWords))
	}
	return search
}

// readDue reads the filters overdue and due. due=overdue is another form of overdue=true.
func readDue(p *httpx.Query, q *domain.Query) {
	q.Overdue = p.Boolean("overdue")
	text, given := p.Text("due")
	if !given {
		return
	}
	if text == domain.DueOverdue {
		if q.Overdue != nil && !*q.Overdue {
			p.Refuse("due", "must not be overdue together with overdue=false")
		}
		q.Overdue = new(true)
		return
	}
	due, ok := domain.ParseDue(text)
	if !ok {
		p.Refuse("due", domain.DueForms)
	}
	q.Due = due
}

// readSort reads the order of a list. The default is the newest task first, for a search the best match first, and for deleted
// tasks the last deletion first.
func readSort(p *httpx.Query, q domain.Query) (by domain.Sort, descending bool) {
	text, given := p.Text("sort")
	if !given {
		switch {
		case q.Deleted:
			return domain.SortDeletedAt, true
		case q.Search != "":
			return domain.SortRelevance, false
		}
		return domain.SortCreatedAt, true
	}
	name, descending := strings.CutPrefix(text, "-")
	by = domain.Sort(name)
	switch {
	case !slices.Contains(domain.Sorts(), by):
		p.Refuse("sort", fmt.Sprintf("must be one of %v, with - in front for descending", domain.Sorts()))
	case by == domain.SortRelevance && (descending || q.Search == "" || q.Deleted):
		p.Refuse("sort", "can be relevance only with a search (q) of tasks that are not deleted, and only without -")
	case by == domain.SortDeletedAt && !q.Deleted:
		p.Refuse("sort", "can be deleted_at only with deleted=true")
	}
	return by, descending
}
