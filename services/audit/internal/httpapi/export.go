package httpapi

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/taskwire/taskwire/pkg/platform/auditlog"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
)

const (
	// exportTime is how long one answer sends. It is below the 60 s that a server and its proxies give an answer, so a long
	// export ends with a line that says where the next one begins, and is not cut.
	exportTime = 20 * time.Second
	// exportStall closes the connection of a client that does not read.
	exportStall = 30 * time.Second
)

// export handles GET /api/v1/audit/export: JSON Lines with all that a verifier needs (package auditlog). An auditor gets the
// whole log, any other user the own entries with their proofs. from is the position at which it begins. If an error occurs
// after the first bytes, the connection is aborted; the last line is missing then too.
func (h handlers) export(c *gin.Context) error {
	q := httpx.NewQuery(c)
	from, _ := q.Integer("from", 0, math.MaxInt64)
	if err := q.Err(); err != nil {
		return err
	}
	ctx := c.Request.Context()
	if err := h.record(c, scope(c)); err != nil {
		return err
	}
	x, err := h.log.Export(ctx, scope(c), from)
	if err != nil {
		return err
	}
	c.Header("Content-Type", "application/x-ndjson")
	c.Header("Cache-Control", "no-store")
	c.Header("Content-Disposition", `attachment; filename="taskwire-audit.jsonl"`)
	if c.Request.Method == http.MethodHead {
		c.Status(http.StatusOK)
		return nil
	}
	control, out := http.NewResponseController(c.Writer), bufio.NewWriter(c.Writer)
	write := func(lines ...auditlog.Line) error {
		_ = control.SetWriteDeadline(time.Now().Add(exportStall)) // not every server has deadlines
		file := json.NewEncoder(out)
		for i := range lines {
			if err := file.Encode(&lines[i]); err != nil {
				return fmt.Errorf("write the export: %w", err)
			}
		}
		return nil
	}
	if err := write(x.First()); err != nil {
		return err
	}
	done := false
	for began := time.Now(); !done && time.Since(began) < exportTime; {
		var lines []auditlog.Line
		if lines, done, err = x.Part(ctx); err != nil {
			return err
		}
		if err := write(lines...); err != nil {
			return err
		}
	}
	if err := write(x.Last(done)); err != nil {
		return err
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write the export: %w", err)
	}
	return nil
}
