package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
	"github.com/taskwire/taskwire/services/task-api/internal/exchange"
)

// This file decides how an import answers: with a stream of reports, or with a problem if it fails before the first report.
// importer.go writes the tasks.

const (
	importPath = "/api/v1/import"
	// maxImport bounds a file, in bytes. It is enough for more than 100,000 usual tasks.
	maxImport = 64 << 20
	// stallTimeout ends an import whose client sends nothing, and an export whose client reads nothing.
	stallTimeout = 30 * time.Second
)

// BodyLimits returns the routes that accept a larger body than the engine's limit, with their limits in bytes.
func BodyLimits() map[string]int64 { return map[string]int64{importPath: maxImport} }

// importReport is a line of the answer of an import. The last line has the type done or error. If neither comes, the answer was
// cut: the client can send the same file again, and no task is created twice.
type importReport struct {
	Type string `json:"type"` // refused, skipped, note, progress, done, error
	// Line, Field and Reason name an entry of the file that is not valid (refused), an entry that is valid but not imported
	// (skipped), or a value that is left out or imported with a change (note).
	Line   int    `json:"line,omitempty"`
	Field  string `json:"field,omitempty"`
	Reason string `json:"reason,omitempty"`
	// ImportCounts is set for progress, done and error.
	*ImportCounts
}

// ImportCounts counts the entries that were read so far, by their outcome.
type ImportCounts struct {
	Created int `json:"created"` // tasks that the import created
	Present int `json:"present"` // tasks that existed already, in the account or from the same file
	Refused int `json:"refused"`
	Skipped int `json:"skipped"`
	Notes   int `json:"notes"`
}

// importTasks handles POST /import?format=. The body is a file of another program, or an export of Taskwire. The handler reads
// it as a stream and writes the tasks with their events in batches. While it works it answers with importReports, one JSON
// object a line.
func (h *handlers) importTasks(c *gin.Context) error {
	format, err := exchangeFormat(c)
	if err != nil {
		return err
	}
	profile, err := h.Accounts.User(c.Request.Context(), auth.UserID(c))
	if err != nil {
		return err
	}
	userID, err := uuid.Parse(auth.UserID(c))
	if err != nil {
		return accounts.ErrNoUser
	}
	release, err := h.imports.take(userID.String())
	if err != nil {
		return err
	}
	defer release()
	if err := h.started.take(userID.String(), 1); err != nil {
		return err
	}
	out := newReportStream(c)
	body := io.Reader(http.NoBody)
	if c.Request.Body != nil {
		body = newPacedBody(c.Request.Body, out.control, h.importPace)
	}
	reader, err := exchange.NewReader(format, body, exchange.Options{Zone: profile.Timezone, Now: h.Now()})
	if err != nil {
		return err
	}
	i := &importer{tasks: h.Tasks, userID: userID, format: format, reader: reader, out: out, seen: map[[32]byte]int{}}
	err = i.run(c.Request.Context())
	if err == nil {
		return out.write(importReport{Type: "done", ImportCounts: &i.counts})
	}
	if c.Request.Context().Err() != nil && !tooSlow(err) {
		return err // the client has disconnected
	}
	err = importError(err)
	if !c.Writer.Written() {
		c.Header("Connection", "close") // do not read the rest of the file
		return err
	}
	problem := httpx.ProblemOf(c.Request.Context(), err)
	return out.write(importReport{Type: "error", Reason: problem.Detail, ImportCounts: &i.counts})
}

// importError maps an error that ends an import to an error of the API.
func importError(err error) error {
	if errors.Is(err, exchange.ErrFile) {
		return httpx.Unprocessable("", err.Error()+".")
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return &httpx.Error{Code: httpx.CodeTooLarge, Message: fmt.Sprintf("The file is larger than %d MiB. Split it.", maxImport>>20)}
	}
	return err
}

// exchangeFormat reads the query of an import or export. Its only parameter is format.
func exchangeFormat(c *gin.Context) (exchange.Format, error) {
	p := httpx.NewQuery(c)
	format := httpx.Choice(p, "format", "", exchange.Formats()...)
	if format == "" {
		p.Refuse("format", "must be given")
	}
	return format, p.Err()
}

// reportStream writes importReports as JSON lines and flushes each line.
type reportStream struct {
	c       *gin.Context
	control *http.ResponseController
}

// newReportStream returns the stream of a request. The answer can begin before the server has read the whole body.
func newReportStream(c *gin.Context) *reportStream {
	s := &reportStream{c, http.NewResponseController(c.Writer)}
	_ = s.control.EnableFullDuplex() // HTTP/2 returns an error, and is always full duplex
	c.Header("Content-Type", "application/x-ndjson")
	return s
}

func (s *reportStream) write(r importReport) error {
	raw, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	_ = s.control.SetWriteDeadline(time.Now().Add(stallTimeout)) // not every server has deadlines
	if _, err := s.c.Writer.Write(append(raw, '\n')); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	s.c.Writer.Flush()
	return nil
}
