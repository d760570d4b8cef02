package httpapi

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/taskwire/taskwire/pkg/events"
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
	q.Overdue = p.Boolean("overdue")
	q.Sort, q.Descending = readSort(p, q.Search)
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
	switch words := len(domain.QueryWords(search)); {
	case words == 0:
		p.Refuse("q", "must have a letter, a digit or a symbol: punctuation, white space and accents alone are not searched")
	case words > domain.MaxSearchWords:
		p.Refuse("q", fmt.Sprintf("must have at most %d different words", domain.MaxSearchWords))
	}
	return search
}

// readSort reads the order of a list. The default is the newest task first, and for a search the best match first.
func readSort(p *httpx.Query, search string) (by domain.Sort, descending bool) {
	text, given := p.Text("sort")
	if !given {
		if search != "" {
			return domain.SortRelevance, false
		}
		return domain.SortCreatedAt, true
	}
	name, descending := strings.CutPrefix(text, "-")
	by = domain.Sort(name)
	switch {
	case !slices.Contains(domain.Sorts(), by):
		p.Refuse("sort", fmt.Sprintf("must be one of %v, with - in front for descending", domain.Sorts()))
	case by == domain.SortRelevance && (descending || search == ""):
		p.Refuse("sort", "can be relevance only with a search (q), and only without -")
	}
	return by, descending
}
