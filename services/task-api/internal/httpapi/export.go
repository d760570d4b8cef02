package httpapi

import (
	"bufio"
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/exchange"
)

var exportTypes = map[exchange.Format]string{
	exchange.JSONL: "application/x-ndjson", exchange.CSV: "text/csv; charset=utf-8",
	exchange.ICS: "text/calendar; charset=utf-8", exchange.Taskwarrior: "application/json; charset=utf-8",
}

// exportTasks handles GET /export?format=. It writes every task of the user that is not deleted once, the oldest first. It
// reads page by page, so a task that changes meanwhile appears either as before or as after its change. If an error occurs
// after the first bytes, the connection is aborted, so that the client notices that the file is incomplete. HEAD reads the
// first page only.
func (h *handlers) exportTasks(c *gin.Context) error {
	format, err := exchangeFormat(c)
	if err != nil {
		return err
	}
	ctx, userID := c.Request.Context(), auth.UserID(c)
	q := domain.Query{Sort: domain.SortCreatedAt, Limit: domain.MaxLimit}
	tasks, end, err := h.Tasks.List(ctx, userID, q)
	if err != nil {
		return err
	}
	extension := string(format)
	if format == exchange.Taskwarrior {
		extension = "json"
	}
	c.Header("Content-Type", exportTypes[format])
	c.Header("Content-Disposition", fmt.Sprintf(`attachment; filename="taskwire-%s.%s"`, h.Now().UTC().Format(time.DateOnly), extension))
	if c.Request.Method == http.MethodHead {
		c.Status(http.StatusOK)
		return nil
	}
	control, out := http.NewResponseController(c.Writer), bufio.NewWriter(c.Writer)
	file, err := exchange.NewWriter(format, out)
	if err != nil {
		return err
	}
	for {
		_ = control.SetWriteDeadline(time.Now().Add(stallTimeout)) // not every server has deadlines
		for _, t := range tasks {
			if err := file.Write(t); err != nil {
				return fmt.Errorf("write export: %w", err)
			}
		}
		if end == nil {
			break
		}
		q.After = end
		if tasks, end, err = h.Tasks.List(ctx, userID, q); err != nil {
			return err
		}
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("write export: %w", err)
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write export: %w", err)
	}
	return nil
}
