package httpapi

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gin-gonic/gin"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
)

// maxSearch bounds q: nobody types more.
const maxSearch = 200

// parameters reads a query string by name, and knows afterwards which names it was not asked for.
type parameters struct {
	values url.Values
	err    error
}

// newParameters refuses a query string that cannot be read, and what Postgres could not keep.
func newParameters(raw string) *parameters {
	p := &parameters{}
	p.values, p.err = url.ParseQuery(raw)
	if p.err != nil {
		p.err = httpx.Invalid("", "The query string cannot be read.")
		return p
	}
	for name, values := range p.values {
		for _, v := range values {
			if !utf8.ValidString(v) || strings.ContainsRune(v, 0) {
				p.refuse(name, "must be UTF-8 without NUL")
			}
		}
	}
	return p
}

func (p *parameters) refuse(name, message string) {
	if p.err == nil {
		p.err = httpx.Invalid(name, message)
	}
}

// all takes every value of a parameter.
func (p *parameters) all(name string) []string {
	values := p.values[name]
	delete(p.values, name)
	return values
}

// one takes a parameter that may be there once.
func (p *parameters) one(name string) (string, bool) {
	values := p.all(name)
	if len(values) > 1 {
		p.refuse(name, "must be there once")
	}
	if len(values) == 0 {
		return "", false
	}
	return values[0], true
}

// end returns the first error; a parameter that was not taken is one.
func (p *parameters) end() error {
	names := make([]string, 0, len(p.values))
	for name := range p.values {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		p.refuse(name, "is not a parameter of this address")
	}
	return p.err
}

func (p *parameters) integer(name string, lo, hi, otherwise int64) int64 {
	text, ok := p.one(name)
	if !ok {
		return otherwise
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < lo || n > hi {
		p.refuse(name, fmt.Sprintf("must be a whole number from %d to %d", lo, hi))
	}
	return n
}

// instant reads an RFC 3339 instant, or a date for the beginning of that day in UTC.
func (p *parameters) instant(name string) *time.Time {
	text, ok := p.one(name)
	if !ok {
		return nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil && t.UTC().Year() >= domain.MinYear && t.UTC().Year() <= domain.MaxYear {
			t = domain.Instant(t)
			return &t
		}
	}
	p.refuse(name, "must be an instant like 2030-01-31T15:04:05Z (+ is written %2B) or a date like 2030-01-31")
	return nil
}

func (p *parameters) boolean(name string) *bool {
	text, ok := p.one(name)
	if !ok {
		return nil
	}
	b := text == "true"
	if !b && text != "false" {
		p.refuse(name, "must be true or false")
	}
	return &b
}

// choices takes values of a closed set, repeated or separated by commas.
func choices[S ~string](p *parameters, name string, allowed []S) []S {
	var out []S
	for _, value := range p.all(name) {
		for word := range strings.SplitSeq(value, ",") {
			if !slices.Contains(allowed, S(word)) {
				p.refuse(name, fmt.Sprintf("must be of %v", allowed))
				return nil
			}
			if !slices.Contains(out, S(word)) {
				out = append(out, S(word))
			}
		}
	}
	slices.Sort(out) // the same list for a cursor, in whichever order it is asked for
	return out
}

// readQuery reads the query string of a list.
func readQuery(raw string) (q domain.Query, cursor string, err error) {
	p := newParameters(raw)
	q.Statuses = choices(p, "status", events.Statuses())
	q.Priorities = choices(p, "priority", events.Priorities())
	for _, tag := range p.all("tag") {
		tag, message := domain.Line(tag, 1, events.MaxTag)
		if message != "" {
			p.refuse("tag", message)
		}
		q.Tags = append(q.Tags, tag)
	}
	if len(q.Tags) > events.MaxTags {
		p.refuse("tag", fmt.Sprintf("must be there at most %d times", events.MaxTags))
	}
	if text, ok := p.one("q"); ok {
		search, message := domain.Line(text, 1, maxSearch)
		if message != "" {
			p.refuse("q", message)
		}
		switch words := len(domain.SearchWords(search)); {
		case words == 0:
			p.refuse("q", "must have a letter, a digit or a symbol: punctuation is not searched")
		case words > domain.MaxSearchWords:
			p.refuse("q", fmt.Sprintf("must have at most %d words", domain.MaxSearchWords))
		}
		q.Search = search
	}
	q.DueBefore, q.DueAfter, q.UpdatedSince = p.instant("due_before"), p.instant("due_after"), p.instant("updated_since")
	q.Overdue = p.boolean("overdue")
	q.Sort, q.Descending = domain.SortCreatedAt, true // the newest first
	if q.Search != "" {
		q.Sort, q.Descending = domain.SortRelevance, false
	}
	if text, ok := p.one("sort"); ok {
		name, descending := strings.CutPrefix(text, "-")
		q.Sort, q.Descending = domain.Sort(name), descending
		switch {
		case !slices.Contains(domain.Sorts(), q.Sort):
			p.refuse("sort", fmt.Sprintf("must be one of %v, with - in front for descending", domain.Sorts()))
		case q.Sort == domain.SortRelevance && (descending || q.Search == ""):
			p.refuse("sort", "relevance is an order of a search (q) only, the best first")
		}
	}
	q.Limit = int(p.integer("limit", 1, domain.MaxLimit, domain.DefaultLimit))
	cursor, _ = p.one("cursor")
	return q, cursor, p.end()
}

// noQuery refuses any query string.
func noQuery(c *gin.Context) error { return newParameters(c.Request.URL.RawQuery).end() }
