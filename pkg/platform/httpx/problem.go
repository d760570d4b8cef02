package httpx

import (
	"context"
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

// WriteError answers with the problem document of err and ends the chain; nil does nothing. What is the service's own
// fault is logged here, once. A client that has gone gets nothing, and is no error of ours.
func WriteError(c *gin.Context, err error) {
	if err == nil {
		return
	}
	ctx := c.Request.Context()
	c.Abort()
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return
	}
	e := classify(err)
	kind := kinds[e.Code]
	logError(c, e, kind.status)
	if c.Writer.Written() { // too late for a document; the client sees a body that ends early
		return
	}
	if e.RetryAfter > 0 {
		c.Header("Retry-After", strconv.Itoa(int(math.Ceil(e.RetryAfter.Seconds()))))
	}
	if e.Code == CodeUnauthorized {
		c.Header("WWW-Authenticate", "Bearer")
	}
	c.Header("Content-Type", "application/problem+json")
	c.JSON(kind.status, Problem{
		Type: "urn:taskwire:problem:" + kind.slug, Title: kind.title, Status: kind.status,
		Detail: e.Message, Errors: e.Fields, TraceID: traceID(ctx),
	})
}

func logError(c *gin.Context, e *Error, status int) {
	log, ok := c.Value(logKey).(*slog.Logger)
	if !ok {
		log = slog.Default()
	}
	level := slog.LevelDebug
	switch {
	case status == http.StatusServiceUnavailable:
		level = slog.LevelWarn
	case status >= http.StatusInternalServerError:
		level = slog.LevelError
	}
	log.Log(c.Request.Context(), level, "request failed", "method", c.Request.Method, "route", c.FullPath(), "status", status, "error", e.Error())
}

func traceID(ctx context.Context) string {
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
		return sc.TraceID().String()
	}
	return ""
}
