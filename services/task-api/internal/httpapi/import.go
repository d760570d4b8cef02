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

const (
	importPath = "/api/v1/import"
	// maxImport bounds a file: 100,000 usual tasks and more.
	maxImport = 64 << 20
	// stallTimeout ends an import or export whose client sends or takes nothing.
	stallTimeout = 30 * time.Second
)

// BodyLimits are the routes that take more than the engine's limit.
func BodyLimits() map[string]int64 { return map[string]int64{importPath: maxImport} }

// importReport is a line of the answer of an import. The last one is done or error; where neither comes, the answer was
// cut, and the same import again makes what is missing and nothing twice.
type importReport struct {
	Type string `json:"type"` // refused, skipped, note, progress, done, error
	// Line, Field and Reason say what of the file could not be taken (refused), is none of ours to take (skipped), or
	// was taken otherwise than it stands there (note).
	Line   int    `json:"line,omitempty"`
	Field  string `json:"field,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Counts stand in progress, done and error.
	*ImportCounts
}

// ImportCounts say what became of the tasks read so far.
type ImportCounts struct {
	Created int `json:"created"` // tasks made
	Present int `json:"present"` // were there already, from this file or the account itself
	Refused int `json:"refused"`
	Skipped int `json:"skipped"`
	Notes   int `json:"notes"`
}

// importTasks handles POST /import?format=: the body is a file of another program, or our own export. It is read as a
// stream, written in batches with its events, and answered with one JSON object a line while it goes on.
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
		return err // the client is gone
	}
	err = importError(err)
	if !c.Writer.Written() {
		c.Header("Connection", "close") // the rest of the file is not waited for
		return err
	}
	problem := httpx.ProblemOf(c.Request.Context(), err)
	return out.write(importReport{Type: "error", Reason: problem.Detail, ImportCounts: &i.counts})
}

// importError turns what ends an import into an error of the API.
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

// exchangeFormat reads the query of an import or export, which has only a format.
func exchangeFormat(c *gin.Context) (exchange.Format, error) {
	p := httpx.NewQuery(c)
	format := httpx.Choice(p, "format", "", exchange.Formats()...)
	if format == "" {
		p.Refuse("format", "must be given")
	}
	return format, p.Err()
}

// reportStream writes JSON lines, each at once.
type reportStream struct {
	c       *gin.Context
	control *http.ResponseController
}

// newReportStream lets the answer begin before the body has ended, and both take longer than those of other routes.
func newReportStream(c *gin.Context) *reportStream {
	s := &reportStream{c, http.NewResponseController(c.Writer)}
	_ = s.control.EnableFullDuplex() // HTTP/2 always is, and says that it cannot
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
