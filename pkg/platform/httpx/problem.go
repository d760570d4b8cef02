package httpx

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/trace"
)

// Problem is the problem document (RFC 9457) of an error.
type Problem struct {
	Type    string       `json:"type"`
	Title   string       `json:"title"`
	Status  int          `json:"status"`
	Detail  string       `json:"detail,omitempty"`
	Errors  []FieldError `json:"errors,omitempty"`
	Task    any          `json:"task,omitempty"` // of a 412: the task as it is, so that the client need not read it again
	TraceID string       `json:"trace_id,omitempty"`
}

// logKey is the context key of the engine's logger.
const logKey = "taskwire.log"

// Wrap makes a gin handler of a handler that returns an error. A handler that has written its answer returns nil.
func Wrap(h func(*gin.Context) error) gin.HandlerFunc {
	return func(c *gin.Context) { WriteError(c, h(c)) }
}

// statusClientGone is the status in metrics and logs of a request whose client closed the connection, as in nginx.
const statusClientGone = 499

// WriteError answers with the problem document of err, logs it, and ends the chain of handlers. It does nothing for nil.
// A request whose client closed the connection is not an error. When a part of the answer was sent already, WriteError
// closes the connection: otherwise the answer would look complete.
func WriteError(c *gin.Context, err error) {
	if err == nil {
		return
	}
	ctx := c.Request.Context()
	c.Abort()
	if errors.Is(err, sql.ErrTxDone) && ctx.Err() != nil {
		err = ctx.Err() // the end of ctx rolled the transaction back, so the commit reports ErrTxDone
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		c.Status(statusClientGone)
		return
	}
	e := classify(err)
	kind := kinds[e.Code]
	logError(c, e, kind.status)
	if c.Writer.Written() {
		panic(http.ErrAbortHandler)
	}
	detail, wait := e.Message, e.RetryAfter
	switch e.Code {
	case CodeRequestTimeout:
		c.Header("Connection", "close") // RFC 9110, section 15.5.9
	case CodeInternal:
		detail = internalDetail // even when the Error has another message
	case CodeUnauthorized:
		c.Header("WWW-Authenticate", strings.TrimSpace("Bearer "+e.Challenge))
	case CodeUnavailable, CodeTooManyRequests:
		if wait <= 0 {
			wait = retryUnavailable
		}
	default:
	}
	if wait > 0 {
		c.Header("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	}
	c.Header("Content-Type", "application/problem+json")
	c.JSON(kind.status, Problem{
		Type: "urn:taskwire:problem:" + kind.slug, Title: kind.title, Status: kind.status,
		Detail: detail, Errors: e.Fields, Task: e.Task, TraceID: traceID(ctx),
	})
}

// ProblemOf returns the document that WriteError would answer with, for an answer that contains several.
func ProblemOf(ctx context.Context, err error) Problem {
	e := classify(err)
	kind, detail := kinds[e.Code], e.Message
	if e.Code == CodeInternal {
		detail = internalDetail
	}
	return Problem{
		Type: "urn:taskwire:problem:" + kind.slug, Title: kind.title, Status: kind.status,
		Detail: detail, Errors: e.Fields, Task: e.Task, TraceID: traceID(ctx),
	}
}

func logError(c *gin.Context, e *Error, status int) {
	level := slog.LevelDebug
	switch {
	case status == http.StatusServiceUnavailable:
		level = slog.LevelWarn
	case status >= http.StatusInternalServerError:
		level = slog.LevelError
	}
	logOf(c).Log(c.Request.Context(), level, "request failed", "method", c.Request.Method, "route", c.FullPath(), "status", status, "error", e.Error())
}

// logOf returns the engine's logger, or the process's on a route without Middleware.
func logOf(c *gin.Context) *slog.Logger {
	if log, ok := c.Value(logKey).(*slog.Logger); ok {
		return log
	}
	return slog.Default()
}

func traceID(ctx context.Context) string {
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
		return sc.TraceID().String()
	}
	return ""
}
