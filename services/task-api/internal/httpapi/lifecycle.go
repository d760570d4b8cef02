package httpapi

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
)

// lifecycle makes a change of a function of the task and the time.
func lifecycle(fn func(domain.Task, time.Time) (domain.Task, error)) func(domain.Task, domain.Defaults) (domain.Task, error) {
	return func(t domain.Task, d domain.Defaults) (domain.Task, error) { return fn(t, d.Now) }
}

// completeTask handles POST /tasks/:id/complete. Completing a completed task is a no-op that answers 200 with the task
// as it is, so a retry is harmless.
func (h *handlers) completeTask(c *gin.Context) error {
	return h.transition(c, false, domain.Complete)
}

// reopenTask handles POST /tasks/:id/reopen. Reopening an open task is a no-op.
func (h *handlers) reopenTask(c *gin.Context) error { return h.transition(c, false, domain.Reopen) }

// restoreTask handles POST /tasks/:id/restore: a deleted task is back, as it was. Restoring a task that is there is a
// no-op.
func (h *handlers) restoreTask(c *gin.Context) error { return h.transition(c, true, domain.Restore) }

func (h *handlers) transition(c *gin.Context, deleted bool, fn func(domain.Task, time.Time) (domain.Task, error)) error {
	t, err := h.change(c, deleted, lifecycle(fn))
	if err != nil {
		return err
	}
	return respond(c, http.StatusOK, t.TaskData)
}

// skipTask handles POST /tasks/:id/skip: this occurrence becomes cancelled, and the next one is made. It answers with
// the skipped task. Skipping a skipped task is a no-op.
func (h *handlers) skipTask(c *gin.Context) error {
	id, err := taskID(c)
	if err != nil {
		return err
	}
	versions, err := ifMatch(c)
	if err != nil {
		return err
	}
	t, err := h.Tasks.Skip(c.Request.Context(), auth.UserID(c), id, versions)
	if err != nil {
		return err
	}
	return respond(c, http.StatusOK, t.TaskData)
}
