package httpapi

import (
	"errors"
	"math"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/services/task-api/api"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/tasks"
)

// sync handles GET /sync. It answers with every task that changed after since, in the order of the changes, each in its current
// state. A deleted task is a tombstone. The client repeats the request with next_since until has_more is false. Then it has
// every change.
func (h *handlers) sync(c *gin.Context) error {
	p := httpx.NewQuery(c)
	since, _ := p.Integer("since", math.MinInt64+1, math.MaxInt64)
	limit := p.Limit(domain.DefaultSyncLimit, domain.MaxSyncLimit)
	if err := p.Err(); err != nil {
		return err
	}
	page, err := h.Tasks.Sync(c.Request.Context(), auth.UserID(c), since, limit)
	if errors.Is(err, tasks.ErrTooOld) {
		c.Header("Link", `</api/v1/sync?since=0>; rel="start"`)
	}
	if err != nil {
		return err
	}
	items := make([]any, len(page.Tasks))
	for i, t := range page.Tasks {
		if items[i] = t.TaskData; t.DeletedAt != nil {
			items[i] = api.Tombstone{ID: t.ID, DeletedAt: *t.DeletedAt, Version: t.Version, Seq: t.Seq}
		}
	}
	c.JSON(http.StatusOK, api.SyncPage{Items: items, NextSince: page.Next, HasMore: page.HasMore})
	return nil
}
