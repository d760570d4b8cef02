package httpapi

import (
	"time"

	"github.com/gin-gonic/gin"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/tasks"
)

// lifecycle adapts a lifecycle function, which depends only on the task and the time.
func lifecycle(fn func(domain.Task, time.Time) (domain.Task, error)) func(domain.Task, domain.Defaults) (domain.Task, error) {
	return func(t domain.Task, d domain.Defaults) (domain.Task, error) { return fn(t, d.Now) }
}

// completeTask handles POST /tasks/:id/complete. Completing a completed task is a no-op that answers 200 with the task
// as it is, so a retry is harmless.
func (h *handlers) completeTask(c *gin.Context) error {
	return h.respondChange(c, tasks.Op{Apply: lifecycle(domain.Complete)})
}

// reopenTask handles POST /tasks/:id/reopen. Reopening an open task is a no-op.
func (h *handlers) reopenTask(c *gin.Context) error {
	return h.respondChange(c, tasks.Op{Apply: lifecycle(domain.Reopen)})
}

// restoreTask handles POST /tasks/:id/restore: it brings a deleted task back as it was. Restoring a task that is not
// deleted is a no-op.
func (h *handlers) restoreTask(c *gin.Context) error {
	return h.respondChange(c, tasks.Op{Apply: lifecycle(domain.Restore), Deleted: true})
}

// skipTask handles POST /tasks/:id/skip: this occurrence becomes cancelled, and the next one is made. It answers with
// the skipped task. Skipping a skipped task is a no-op.
func (h *handlers) skipTask(c *gin.Context) error {
	return h.respondChange(c, tasks.Op{Skip: true})
}
