package httpapi

import (
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
)

// This file serves the lists of tasks and tags, and the statistics.

// listTasks handles GET /tasks. The cursor in the answer continues the same list.
func (h *handlers) listTasks(c *gin.Context) error {
	q, cursor, err := readQuery(c)
	if err != nil {
		return err
	}
	userID := auth.UserID(c)
	if cursor != "" {
		if q.After, err = h.cursors.read(userID, q, cursor); err != nil {
			return err
		}
	}
	tasks, end, err := h.Tasks.List(c.Request.Context(), userID, q)
	if err != nil {
		return err
	}
	next, err := h.cursors.make(userID, q, end)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, taskList{resources(tasks), next})
	return nil
}

type taskList struct {
	Items      []events.TaskData `json:"items"`
	NextCursor string            `json:"next_cursor"` // "" on the last page
}

func resources(tasks []domain.Task) []events.TaskData {
	out := make([]events.TaskData, len(tasks))
	for i, t := range tasks {
		out[i] = t.TaskData
	}
	return out
}

// listTags handles GET /tags.
func (h *handlers) listTags(c *gin.Context) error {
	if err := httpx.NoQuery(c); err != nil {
		return err
	}
	tags, err := h.Tasks.Tags(c.Request.Context(), auth.UserID(c))
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, gin.H{"items": tags})
	return nil
}

// getStats handles GET /stats.
func (h *handlers) getStats(c *gin.Context) error {
	if err := httpx.NoQuery(c); err != nil {
		return err
	}
	stats, err := h.Tasks.Stats(c.Request.Context(), auth.UserID(c))
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, stats)
	return nil
}
