// Package httpx is the public side of a service.
package httpx

import (
	"context"
	"log/slog"
	"net"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"net/http"
)

// Code is the kind of an Error and decides its status.
type Code int

// The kinds of errors and their status.
const (
	CodeInternal           Code = iota // 500
	CodeInvalid                        // 400
	CodeUnprocessable                  // 422
	CodeUnauthorized                   // 401
	CodeForbidden                      // 403
	CodeNotFound                       // 404
	CodeConflict                       // 409
	CodeGone                           // 410
	CodePreconditionFailed             // 412
	CodeTooLarge                       // 413
	CodeUnsupportedMedia               // 415
	CodeTooManyRequests                // 429
	CodeUnavailable                    // 503
)

// FieldError names one field and what is wrong with it.
type FieldError struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

// Error is an error with a status and a message for the client.
type Error struct {
	Code       Code
	Message    string
	Fields     []FieldError
	Err        error
	RetryAfter time.Duration
}

func (e *Error) Error() string { return e.Message }
func (e *Error) Unwrap() error { return e.Err }

// Invalid is a 400 that names a field.
func Invalid(field, msg string) *Error { return &Error{Code: CodeInvalid, Message: msg} }

// Unprocessable is a 422 that names a field.
func Unprocessable(field, msg string) *Error { return &Error{Code: CodeUnprocessable, Message: msg} }

// Unauthorized is a 401.
func Unauthorized(msg string) *Error { return &Error{Code: CodeUnauthorized, Message: msg} }

// Forbidden is a 403.
func Forbidden(msg string) *Error { return &Error{Code: CodeForbidden, Message: msg} }

// NotFound is a 404.
func NotFound(msg string) *Error { return &Error{Code: CodeNotFound, Message: msg} }

// Conflict is a 409.
func Conflict(msg string) *Error { return &Error{Code: CodeConflict, Message: msg} }

// Gone is a 410.
func Gone(msg string) *Error { return &Error{Code: CodeGone, Message: msg} }

// PreconditionFailed is a 412.
func PreconditionFailed(msg string) *Error { return &Error{Code: CodePreconditionFailed, Message: msg} }

// TooManyRequests is a 429 with Retry-After.
func TooManyRequests(msg string, retryAfter time.Duration) *Error {
	return &Error{Code: CodeTooManyRequests, Message: msg, RetryAfter: retryAfter}
}

// Unavailable is a 503 with Retry-After.
func Unavailable(msg string, retryAfter time.Duration, err error) *Error {
	return &Error{Code: CodeUnavailable, Message: msg, RetryAfter: retryAfter, Err: err}
}

// Internal is a 500; err is logged and never reaches the client.
func Internal(err error) *Error { return &Error{Code: CodeInternal, Err: err} }

// Config is what an engine needs.
type Config struct {
	Service    string
	Log        *slog.Logger
	Registerer prometheus.Registerer
	BodyLimit  int64
}

// NewEngine makes the public engine.
func NewEngine(cfg Config) *gin.Engine { return gin.New() }

// Wrap turns a handler that returns an error into a gin handler.
func Wrap(h func(*gin.Context) error) gin.HandlerFunc {
	return func(c *gin.Context) { WriteError(c, h(c)) }
}

// WriteError answers with the problem document of err.
func WriteError(c *gin.Context, err error) {}

// DecodeJSON decodes the body strictly.
func DecodeJSON(c *gin.Context, dst any) error { return nil }

// Health adds /healthz, /readyz and /metrics.
func Health(engine *gin.Engine, ready map[string]func(ctx context.Context) error, reg prometheus.Gatherer) {
}

// Serve listens on addr and serves until ctx is done, then drains for at most shutdownTimeout.
func Serve(ctx context.Context, addr string, h http.Handler, log *slog.Logger, shutdownTimeout time.Duration) error {
	return nil
}

// ServeListener is Serve on a listener that is open already; it closes it.
func ServeListener(ctx context.Context, l net.Listener, h http.Handler, log *slog.Logger, shutdownTimeout time.Duration) error {
	return nil
}
