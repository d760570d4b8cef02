package invocation

import (
	"errors"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
)

// revocations handles GET /internal/revocations: what ended, or got another role, since a time, in pages. Without since it answers
// everything whose access tokens can still be valid. A row may appear some seconds after newer ones, because the order is not that
// of the commits: a caller asks again for the last seconds, and takes an item twice without harm.
func (h *handlers) revocations(c *gin.Context) error {
	q := httpx.NewQuery(c)
	var since time.Time
	if given := q.Instant("since"); given != nil {
		since = *given
	}
	after, _ := q.Text("after")
	limit := q.Limit(defaultRevocations, maxRevocations)
	q.IgnoreUnknown() // a newer version of the caller may send more
	if err := q.Err(); err != nil {
		return err
	}
	page, err := h.accounts.Revocations(c.Request.Context(), since, after, limit)
	if errors.Is(err, accounts.ErrCursor) {
		return httpx.Invalid("after", "is not a cursor of this list")
	}
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, page)
	return nil
}
