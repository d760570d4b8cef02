package httpx

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/trace"
)

// Problem is the document of RFC 9457 that every error is answered with.
type Problem struct {
	Type    string       `json:"type"`
	Title   string       `json:"title"`
	Status  int          `json:"status"`
	Detail  string       `json:"detail,omitempty"`
	Errors  []FieldError `json:"errors,omitempty"`
	TraceID string       `json:"trace_id,omitempty"`
}

// logKey is where the engine leaves its logger for WriteError.
const logKey = "taskwire.log"

// Wrap turns a handler that returns an error into a gin handler. A handler that has answered returns nil.
func Wrap(h func(*gin.Context) error) gin.HandlerFunc {
	return func(c *gin.Context) { WriteError(c, h(c)) }
}

// statusClientGone is what a request counts as whose client left before its answer; nobody reads it (nginx's number).
const statusClientGone = 499

// WriteError answers with the problem document of err and ends the chain; nil does nothing. What is the service's own
// fault is logged here, once. A client that has gone gets nothing, and is no error of ours. When a part of the answer is
// sent already the connection is cut, because a body that ended in the usual way would look whole.
func WriteError(c *gin.Context, err error) {
	if err == nil {
		return
	}
	ctx := c.Request.Context()
	c.Abort()
	if errors.Is(err, sql.ErrTxDone) && ctx.Err() != nil {
		err = ctx.Err() // its transaction was rolled back for that, before the commit could say so itself
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
	case CodeInternal:
		detail = internalDetail // also where a program made an Error of it with a text of its own
	case CodeUnauthorized:
		c.Header("WWW-Authenticate", "Bearer")
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
		Detail: detail, Errors: e.Fields, TraceID: traceID(ctx),
	})
}

// ProblemOf is the document that WriteError answers err with, for an answer that has several.
func ProblemOf(ctx context.Context, err error) Problem {
	e := classify(err)
	kind, detail := kinds[e.Code], e.Message
	if e.Code == CodeInternal {
		detail = internalDetail
	}
	return Problem{
		Type: "urn:taskwire:problem:" + kind.slug, Title: kind.title, Status: kind.status,
		Detail: detail, Errors: e.Fields, TraceID: traceID(ctx),
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

// logOf is the engine's logger, or the process's on a route without Middleware.
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
