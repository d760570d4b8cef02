package httpapi

import (
	"errors"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/tasks"
)

// This file decides what a task's validator is, and what the conditions of a request are (RFC 9110, section 13.1).

// etag returns the strong validator of a task. The version is enough, because every change of a task increases it, and an
// answer with an ETag is never compressed.
func etag(version int64) string { return `"v` + strconv.FormatInt(version, 10) + `"` }

// version returns the version of an entity tag that etag made. Tags are compared byte for byte, so "v01" is none.
func version(tag string) (int64, bool) {
	digits, _ := strings.CutPrefix(strings.TrimSuffix(tag, `"`), `"v`)
	v, err := strconv.ParseInt(digits, 10, 64)
	return v, err == nil && tag == etag(v)
}

// writeConditions reads the conditions of a write.
func writeConditions(c *gin.Context, op *tasks.Op) (err error) {
	if op.IfMatch, err = ifMatch(c); err != nil {
		return err
	}
	op.IfNoneMatch, err = ifNoneMatch(c)
	return err
}

// ifMatch reads If-Match (section 13.1.1). It returns nil if the client accepts any version. A weak validator never matches.
func ifMatch(c *gin.Context) (*tasks.Versions, error) {
	tags, err := entityTags(c, "If-Match")
	if err != nil || !tags.given || tags.any {
		return nil, err
	}
	versions := tasks.Versions{}
	for _, tag := range tags.list {
		if v, ok := version(tag); ok {
			versions = append(versions, v)
		}
	}
	return &versions, nil
}

// ifNoneMatch reads If-None-Match (section 13.1.2), which compares weakly.
func ifNoneMatch(c *gin.Context) (tasks.NoneMatch, error) {
	tags, err := entityTags(c, "If-None-Match")
	if err != nil {
		return tasks.NoneMatch{}, err
	}
	unwanted := tasks.NoneMatch{Any: tags.any}
	for _, tag := range tags.list {
		if v, ok := version(strings.TrimPrefix(tag, "W/")); ok {
			unwanted.Versions = append(unwanted.Versions, v)
		}
	}
	return unwanted, nil
}

// readConditions reports whether a read of the task is answered with 304, and returns tasks.StaleError where If-Match refuses the
// task. A malformed If-None-Match counts as absent: the client gets the whole task, which is never wrong.
func readConditions(c *gin.Context, t domain.Task) (notModified bool, err error) {
	accepted, err := ifMatch(c)
	if err != nil {
		return false, err
	}
	if !accepted.Accept(t.Version) {
		return false, &tasks.StaleError{Task: t}
	}
	unwanted, err := ifNoneMatch(c)
	return err == nil && !unwanted.Accept(t), nil
}

// withETag adds the ETag of the task that an error carries.
func withETag(c *gin.Context, err error) error {
	if stale, ok := errors.AsType[*tasks.StaleError](err); ok {
		c.Header("ETag", etag(stale.Task.Version))
	}
	return err
}

// entityTagList is the value of If-Match or If-None-Match.
type entityTagList struct {
	given bool
	any   bool     // "*"
	list  []string // each with its quotes, a weak one with W/
}

// entityTags reads a header: "*" alone, or a list of entity tags (section 8.8.3). Several lines are one list, empty members
// count for nothing (section 5.6.1), and a tag may contain commas. A list without any tag is refused, because its client has
// lost the tag that it means.
func entityTags(c *gin.Context, header string) (tags entityTagList, err error) {
	lines := c.Request.Header.Values(header)
	if len(lines) == 0 {
		return tags, nil
	}
	tags.given = true
	rest := strings.Join(lines, ",")
	if strings.Trim(rest, " \t") == "*" {
		tags.any = true
		return tags, nil
	}
	for {
		rest = strings.TrimLeft(rest, ", \t")
		if rest == "" {
			break
		}
		n := entityTagLength(rest)
		after := strings.TrimLeft(rest[n:], " \t")
		if n == 0 || after != "" && after[0] != ',' {
			return tags, malformed(header)
		}
		tags.list, rest = append(tags.list, rest[:n]), after
	}
	if len(tags.list) == 0 {
		return tags, malformed(header)
	}
	return tags, nil
}

func malformed(header string) error {
	return httpx.Invalid(header, `must be * alone or entity tags in double quotes, like "v3"`)
}

// entityTagLength returns the length of the entity tag at the beginning of s, or 0 if there is none.
func entityTagLength(s string) int {
	begin := len(s) - len(strings.TrimPrefix(s, "W/"))
	if begin == len(s) || s[begin] != '"' {
		return 0
	}
	for i := begin + 1; i < len(s); i++ {
		switch b := s[i]; {
		case b == '"':
			return i + 1
		case b <= ' ' || b == 0x7f: // RFC 9110: etagc is any visible character but the quote, or a byte from 0x80 on
			return 0
		}
	}
	return 0
}
