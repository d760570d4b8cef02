package httpapi

import (
	"time"

	"github.com/gin-gonic/gin"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/tasks"
)

// lifecycle adapts a lifecycle function of the domain to tasks.Op.Apply.
func lifecycle(fn func(domain.Task, time.Time) (domain.Task, error)) func(domain.Task, domain.Defaults) (domain.Task, error) {
	return func(t domain.Task, d domain.Defaults) (domain.Task, error) { return fn(t, d.Now) }
}

// completeTask handles POST /tasks/:id/complete. Completing a completed task changes nothing and answers 200 with the task, so
// a client can retry.
func (h *handlers) completeTask(c *gin.Context) error {
	return h.respondChange(c, tasks.Op{Apply: lifecycle(domain.Complete)})
}

// reopenTask handles POST /tasks/:id/reopen. Reopening an open task changes nothing. It withdraws the next occurrence of a series, if
// nobody has changed that.
func (h *handlers) reopenTask(c *gin.Context) error {
	return h.respondChange(c, tasks.Op{Apply: lifecycle(domain.Reopen), Reopens: true})
}

// restoreTask handles POST /tasks/:id/restore. It restores a deleted task with its values. Restoring a task that is not deleted
// changes nothing.
func (h *handlers) restoreTask(c *gin.Context) error {
	return h.respondChange(c, tasks.Op{Apply: lifecycle(domain.Restore), Deleted: true, Restores: true})
}

// skipTask handles POST /tasks/:id/skip. It cancels this occurrence, creates the next one, and answers with the cancelled task.
// Skipping a skipped task changes nothing.
func (h *handlers) skipTask(c *gin.Context) error {
	return h.respondChange(c, tasks.Op{Skip: true})
}
