package httpapi

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/services/notification/internal/domain"
)

// params reads a request's path and query. The first thing that is wrong is kept in err.
type params struct {
	c      *gin.Context
	values url.Values
	err    *httpx.Error
}

// newParams refuses parameters that the route does not know, and those that come twice.
func newParams(c *gin.Context, known ...string) *params {
	values, err := url.ParseQuery(c.Request.URL.RawQuery)
	p := &params{c: c, values: values}
	if err != nil {
		p.err = httpx.Invalid("query", "is not a well-formed query string")
		return p
	}
	for name, given := range values {
		switch {
		case !slices.Contains(known, name):
			p.fail(name, "is not a parameter of this route")
		case len(given) > 1:
			p.fail(name, "is given more than once")
		}
	}
	return p
}

func (p *params) fail(name, message string) {
	if p.err == nil {
		p.err = httpx.Invalid(name, message)
	}
}

// done is nil or what was wrong; a nil *httpx.Error must not become a non-nil error.
func (p *params) done() error {
	if p.err != nil {
		return p.err
	}
	return nil
}

// id reads the notification's id from the path.
func (p *params) id() string {
	value := p.c.Param("id")
	id, err := uuid.Parse(value)
	if err != nil || len(value) != len(id.String()) {
		p.fail("id", "is not a UUID")
		return ""
	}
	return id.String()
}

func (p *params) limit() int {
	value := p.values.Get("limit")
	if !p.values.Has("limit") {
		return domain.DefaultLimit
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > domain.MaxLimit {
		p.fail("limit", fmt.Sprintf("is not a whole number from 1 to %d", domain.MaxLimit))
		return 0
	}
	return n
}

// unread reads the filter: true, false, or nil where it was not given.
func (p *params) unread() *bool {
	if !p.values.Has("unread") {
		return nil
	}
	switch p.values.Get("unread") {
	case "true":
		return new(true)
	case "false":
		return new(false)
	}
	p.fail("unread", "is neither true nor false")
	return nil
}

// after reads the cursor; the empty one, as it stands on a last page, begins at the front.
func (p *params) after() *domain.Key {
	if p.values.Get("cursor") == "" {
		return nil
	}
	key, err := decodeCursor(p.values.Get("cursor"))
	if err != nil {
		p.fail("cursor", "is not a cursor of this list")
		return nil
	}
	return &key
}
