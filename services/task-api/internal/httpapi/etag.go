package httpapi

import (
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/services/task-api/internal/tasks"
)

// etag returns the strong validator of a task. The version is enough, because every change of a task increases it.
func etag(version int64) string { return `"v` + strconv.FormatInt(version, 10) + `"` }

// ifMatch reads If-Match (RFC 9110, section 13.1.1). It returns nil if the client accepts any version. A weak validator never
// matches.
func ifMatch(c *gin.Context) (*tasks.Versions, error) {
	tags, any, err := entityTags(c, "If-Match")
	if err != nil || tags == nil || any {
		return nil, err
	}
	versions := tasks.Versions{}
	for _, tag := range tags {
		if v, ok := version(tag); ok {
			versions = append(versions, v)
		}
	}
	return &versions, nil
}

// noneMatch reports whether If-None-Match contains the version, by weak comparison (RFC 9110, section 13.1.2). It treats a
// malformed header as absent.
func noneMatch(c *gin.Context, is int64) bool {
	tags, any, err := entityTags(c, "If-None-Match")
	if err != nil {
		return false
	}
	for _, tag := range tags {
		if v, ok := version(strings.TrimPrefix(tag, "W/")); ok && v == is {
			return true
		}
	}
	return any
}

// entityTags returns the entity tags of a header, and whether it contains "*".
func entityTags(c *gin.Context, header string) (tags []string, any bool, err error) {
	values := c.Request.Header.Values(header)
	if len(values) == 0 {
		return nil, false, nil
	}
	for tag := range strings.SplitSeq(strings.Join(values, ","), ",") {
		switch tag = strings.TrimSpace(tag); {
		case tag == "*":
			any = true
		case isEntityTag(strings.TrimPrefix(tag, "W/")):
			tags = append(tags, tag)
		default:
			return nil, false, httpx.Invalid(header, `must be * or entity tags in double quotes, like "v3"`)
		}
	}
	return tags, any, nil
}

func isEntityTag(s string) bool {
	return len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' && !strings.Contains(s[1:len(s)-1], `"`)
}

// version returns the version of a strong entity tag that etag made.
func version(tag string) (int64, bool) {
	digits, ok := strings.CutPrefix(tag, `"v`)
	if !ok {
		return 0, false
	}
	v, err := strconv.ParseInt(strings.TrimSuffix(digits, `"`), 10, 64)
	return v, err == nil
}
