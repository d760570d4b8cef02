// Package invocation has the routes of the notification service that other services call through Dapr. Every route requires
// the API token of our sidecar. The public port does not have these routes.
//
//	route                               caller              answer
//	GET  /internal/notifications        WebSocket service   the changes of a user's inbox after a number, without a gap
//	POST /internal/notification-heads   WebSocket service   the newest number of each of many users
package invocation

import (
	"context"
	"errors"
	"math"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/services/notification/internal/domain"
)

const (
	// maxChanges bounds one page of changes. A page of usual notifications has a quarter of a megabyte, and a page of the
	// longest texts some megabytes. defaultChanges is the length of a page when the request has no limit.
	maxChanges, defaultChanges = 500, 100
)

// Log has the use cases that the routes call.
type Log interface {
	Changes(ctx context.Context, userID string, since int64, limit int) (domain.ChangePage, error)
	Heads(ctx context.Context, userIDs []string) (map[string]int64, error)
}

// Server receives service invocations.
type Server interface {
	Invoke(method, path string, h func(*gin.Context) error)
}

type handlers struct{ log Log }

// Register adds the routes to the server.
func Register(s Server, log Log) {
	h := handlers{log}
	s.Invoke(http.MethodGet, "/internal/notifications", h.changes)
	s.Invoke(http.MethodPost, "/internal/notification-heads", h.heads)
}

// changes handles GET /internal/notifications. It answers 410 if some of the changes after since are not kept any more. A
// user who never had a notification has the head 0. Whether there is such a user, only the task API knows.
func (h handlers) changes(c *gin.Context) error {
	q := httpx.NewQuery(c)
	userID := q.UUID("user_id")
	if userID == "" {
		q.Refuse("user_id", "must be given")
	}
	since, _ := q.Integer("since", 0, math.MaxInt64)
	limit := q.Limit(defaultChanges, maxChanges)
	q.IgnoreUnknown() // a newer version of the caller may send more
	if err := q.Err(); err != nil {
		return err
	}
	page, err := h.log.Changes(c.Request.Context(), userID, since, limit)
	if errors.Is(err, domain.ErrTooOld) {
		return httpx.Gone("The notifications since then are not kept for a replay any more. Read them with /api/v1/notifications.")
	}
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, gin.H{"items": page.Items, "head": page.Head, "oldest": page.Oldest, "has_more": page.HasMore, "unread": page.Unread})
	return nil
}

// heads handles POST /internal/notification-heads. The answer leaves out users who never had a notification.
func (h handlers) heads(c *gin.Context) error {
	ids, err := httpx.UserIDs(c)
	if err != nil {
		return err
	}
	heads, err := h.log.Heads(c.Request.Context(), ids)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, gin.H{"heads": heads})
	return nil
}
