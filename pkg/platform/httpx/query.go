package httpx

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
)

// Query reads the query string and the path parameters of one request. A handler reads every parameter that its route
// has and then calls Err, which reports the first problem: a value that is not valid, a parameter that was given twice,
// or one that the handler did not read. Every problem is a 400 that names the parameter, so nothing is ignored.
//
// A method returns its type's zero value (or nil) for a parameter that is absent or not valid.
type Query struct {
	c      *gin.Context
	values url.Values // not read yet
	err    *Error     // the first problem
}

// NewQuery reads the query of a request. It refuses one that cannot be parsed, and values that are not UTF-8 or contain NUL,
// which Postgres cannot store.
func NewQuery(c *gin.Context) *Query {
	q := &Query{c: c}
	if q.err = readableQuery(c.Request.URL.RawQuery); q.err != nil {
		return q
	}
	q.values, _ = url.ParseQuery(c.Request.URL.RawQuery)
	for _, name := range q.names() {
		for _, text := range append(q.values[name], name) {
			if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
				q.Refuse(strings.ToValidUTF8(name, "\uFFFD"), "must be UTF-8 without NUL characters")
			}
		}
	}
	return q
}

// readableQuery returns an error for a query that cannot be parsed: one with a semicolon, or with a percent sign that
// begins no escape. Go's parser leaves such a parameter out, so a filter would be missing from a request that succeeds. The
// error is the same on every route, also on one without parameters.
func readableQuery(raw string) *Error {
	if _, err := url.ParseQuery(raw); err != nil {
		return &Error{Code: CodeInvalid, Message: "The query string cannot be parsed: a percent sign is written %25 and a semicolon %3B.", Err: err}
	}
	return nil
}

// names returns the parameters that were not read yet, sorted, so that the same query gives the same error.
func (q *Query) names() []string {
	names := make([]string, 0, len(q.values))
	for name := range q.values {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// NoQuery returns an error when the request has any query parameter.
func NoQuery(c *gin.Context) error { return NewQuery(c).Err() }

// Refuse records that a parameter is not valid; message continues a sentence that begins with its name. Err reports
// only the first problem.
func (q *Query) Refuse(name, message string) {
	if q.err == nil {
		q.err = Invalid(name, message)
	}
}

// Err returns the first problem of the request, or nil. A parameter that was not read is a problem.
func (q *Query) Err() error {
	for _, name := range q.names() {
		q.Refuse(name, "is not a parameter of this route")
	}
	if q.err == nil { // a nil *Error must not become an error that is not nil
		return nil
	}
	return q.err
}

// IgnoreUnknown makes Err accept parameters that were not read: for callers that may be of a newer version.
func (q *Query) IgnoreUnknown() { q.values = nil }

// Texts returns all values of a parameter that may be given up to most times.
func (q *Query) Texts(name string, most int) []string {
	values := q.values[name]
	delete(q.values, name)
	if len(values) > most {
		q.Refuse(name, fmt.Sprintf("must be given at most %d times", most))
		return nil
	}
	return values
}

// Text returns the value of a parameter, which may be empty, and whether it was given.
func (q *Query) Text(name string) (value string, given bool) {
	values := q.values[name]
	delete(q.values, name)
	switch len(values) {
	case 0:
		return "", false
	case 1:
		return values[0], true
	}
	q.Refuse(name, "must be given only once")
	return "", false
}

// Cursor returns the cursor of a list; "" begins at its first page.
func (q *Query) Cursor() string {
	value, _ := q.Text("cursor")
	return value
}

// RefuseCursor records that the cursor does not belong to this list.
func (q *Query) RefuseCursor() { q.Refuse("cursor", "is not a cursor of this list") }

// Integer returns a whole number from low to high, and whether it was given.
func (q *Query) Integer(name string, low, high int64) (n int64, given bool) {
	text, given := q.Text(name)
	if !given {
		return 0, false
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < low || n > high {
		q.Refuse(name, fmt.Sprintf("must be a whole number from %d to %d", low, high))
		return 0, false
	}
	return n, true
}

// Limit returns the length of a page, from 1 to most, or usual when none was given.
func (q *Query) Limit(usual, most int) int {
	n, given := q.Integer("limit", 1, int64(most))
	if !given {
		return usual
	}
	return int(n)
}

// Boolean returns true or false, or nil when the parameter was not given.
func (q *Query) Boolean(name string) *bool {
	text, given := q.Text(name)
	if !given {
		return nil
	}
	value := text == "true"
	if !value && text != "false" {
		q.Refuse(name, "must be true or false")
		return nil
	}
	return &value
}

// UUID returns an id in its canonical form.
func (q *Query) UUID(name string) string {
	text, given := q.Text(name)
	if !given {
		return ""
	}
	return q.uuid(name, text)
}

// PathUUID returns an id from the path in its canonical form.
func (q *Query) PathUUID(name string) string { return q.uuid(name, q.c.Param(name)) }

// uuidLength is the length of the one form of a UUID that is accepted (RFC 9562, section 4). uuid.Parse takes others too.
const uuidLength = 36

func (q *Query) uuid(name, text string) string {
	id, err := uuid.Parse(text)
	if err != nil || len(text) != uuidLength {
		q.Refuse(name, "must be a UUID")
		return ""
	}
	return id.String()
}

// Years are the first and last year that an instant may have.
type Years struct{ First, Last int }

// anyYear is what both RFC 3339 and Postgres can hold.
var anyYear = Years{1, 9999}

// Instant returns an RFC 3339 instant in UTC, or nil when none was given.
func (q *Query) Instant(name string) *time.Time {
	return q.time(name, anyYear, "must be a time like 2030-01-31T15:04:05Z (RFC 3339; + is written %2B)", time.RFC3339)
}

// InstantOrDate returns an RFC 3339 instant in UTC, or for a date the start of that day in UTC.
func (q *Query) InstantOrDate(name string, years Years) *time.Time {
	return q.time(name, years, "must be a time like 2030-01-31T15:04:05Z (RFC 3339; + is written %2B) or a date like 2030-01-31", time.RFC3339, time.DateOnly)
}

func (q *Query) time(name string, years Years, message string, layouts ...string) *time.Time {
	text, given := q.Text(name)
	if !given {
		return nil
	}
	for _, layout := range layouts {
		t, err := time.Parse(layout, text)
		if t = t.UTC(); err == nil && t.Year() >= years.First && t.Year() <= years.Last {
			return &t
		}
	}
	q.Refuse(name, message)
	return nil
}

// Choice returns a value of a closed set, or usual when none was given.
func Choice[S ~string](q *Query, name string, usual S, allowed ...S) S {
	text, given := q.Text(name)
	switch {
	case !given:
		return usual
	case !slices.Contains(allowed, S(text)):
		q.Refuse(name, oneOf(allowed))
		return usual
	}
	return S(text)
}

// Choices returns values of a closed set. The parameter may be repeated, and a value may be several separated by commas.
// The result is sorted and has each value once, so that the order in the query does not matter.
func Choices[S ~string](q *Query, name string, allowed []S) []S {
	values := q.values[name] // any number: the same value again changes nothing
	delete(q.values, name)
	var chosen []S
	for _, value := range values {
		for word := range strings.SplitSeq(value, ",") {
			if !slices.Contains(allowed, S(word)) {
				q.Refuse(name, oneOf(allowed))
				return nil
			}
			chosen = append(chosen, S(word))
		}
	}
	slices.Sort(chosen)
	return slices.Compact(chosen)
}

func oneOf[S ~string](allowed []S) string {
	words := make([]string, len(allowed))
	for i, a := range allowed {
		words[i] = string(a)
	}
	return "must be one of " + strings.Join(words, ", ")
}
