package httpapi

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/services/audit/internal/domain"
)

// maxEventTypes bounds a repeatable filter; there are six event types today.
const maxEventTypes = 20

// params reads a request's query. The first thing that is wrong is kept in err.
type params struct {
	values url.Values
	err    *httpx.Error
}

// newParams refuses parameters that the route does not know, and all but repeatable ones that come twice.
func newParams(c *gin.Context, repeatable []string, single ...string) *params {
	values, err := url.ParseQuery(c.Request.URL.RawQuery)
	p := &params{values: values}
	if err != nil {
		p.err = httpx.Invalid("query", "is not a well-formed query string")
		return p
	}
	for name, given := range values {
		switch {
		case slices.Contains(repeatable, name):
		case !slices.Contains(single, name):
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

func (p *params) uuid(name string) string {
	return p.parseUUID(name, p.values.Get(name))
}

func (p *params) parseUUID(name, value string) string {
	if value == "" {
		return ""
	}
	id, err := uuid.Parse(value)
	if err != nil || len(value) != len(id.String()) {
		p.fail(name, "is not a UUID")
		return ""
	}
	return id.String()
}

func (p *params) time(name string) time.Time {
	value := p.values.Get(name)
	if value == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, value)
	if err != nil || t.Year() < 1 || t.Year() > 9999 {
		p.fail(name, "is not an RFC 3339 time")
		return time.Time{}
	}
	return t
}

// number reads a whole number of at least least; ok says whether it was given.
func (p *params) number(name string, least int64) (n int64, ok bool) {
	value := p.values.Get(name)
	if value == "" {
		return 0, false
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n < least {
		p.fail(name, fmt.Sprintf("is not a whole number from %d on", least))
		return 0, false
	}
	return n, true
}

func (p *params) limit() int {
	n, given := p.number("limit", 1)
	switch {
	case !given:
		return domain.DefaultLimit
	case n > domain.MaxLimit:
		p.fail("limit", fmt.Sprintf("is above %d", domain.MaxLimit))
		return 0
	}
	return int(n)
}

func (p *params) eventTypes() []string {
	given := p.values["event_type"]
	if len(given) > maxEventTypes {
		p.fail("event_type", fmt.Sprintf("is given more than %d times", maxEventTypes))
		return nil
	}
	for _, t := range given {
		if t == "" || !utf8.ValidString(t) || strings.ContainsFunc(t, unicode.IsControl) {
			p.fail("event_type", "is not an event type")
			return nil
		}
	}
	return given
}

// newest reads the sort order of a list: position (the default) or -position.
func (p *params) newest() bool {
	switch p.values.Get("sort") {
	case "", "position":
		return false
	case "-position":
		return true
	}
	p.fail("sort", "is neither position nor -position")
	return false
}
