package httpx

import (
	"errors"
	"net/http"
	"time"

	"github.com/taskwire/taskwire/pkg/platform/edge"
	"github.com/taskwire/taskwire/pkg/platform/transient"
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
	CodeQuota                          // 403
	CodeNotFound                       // 404
	CodeMethodNotAllowed               // 405
	CodeRequestTimeout                 // 408
	CodeConflict                       // 409
	CodeGone                           // 410
	CodePreconditionFailed             // 412
	CodeTooLarge                       // 413
	CodeUnsupportedMedia               // 415
	CodeTooManyRequests                // 429
	CodeUnavailable                    // 503
)

// kinds maps each kind of error to its status, the end of its problem type ("urn:taskwire:problem:…") and its title.
var kinds = map[Code]struct {
	status      int
	slug, title string
}{
	CodeInternal:           {http.StatusInternalServerError, "internal", "Internal error"},
	CodeInvalid:            {http.StatusBadRequest, "invalid-request", "Invalid request"},
	CodeUnprocessable:      {http.StatusUnprocessableEntity, "invalid-value", "Invalid value"},
	CodeUnauthorized:       {http.StatusUnauthorized, "unauthorized", "Not signed in"},
	CodeForbidden:          {http.StatusForbidden, "forbidden", "Not allowed"},
	CodeQuota:              {http.StatusForbidden, "quota-exceeded", "Quota exceeded"},
	CodeNotFound:           {http.StatusNotFound, "not-found", "Not found"},
	CodeMethodNotAllowed:   {http.StatusMethodNotAllowed, "method-not-allowed", "Method not allowed"},
	CodeRequestTimeout:     {http.StatusRequestTimeout, "request-timeout", "Too slow"},
	CodeConflict:           {http.StatusConflict, "conflict", "Conflict"},
	CodeGone:               {http.StatusGone, "gone", "Gone"},
	CodePreconditionFailed: {http.StatusPreconditionFailed, "precondition-failed", "Precondition failed"},
	CodeTooLarge:           {http.StatusRequestEntityTooLarge, "too-large", "Too large"},
	CodeUnsupportedMedia:   {http.StatusUnsupportedMediaType, "unsupported-media-type", "Unsupported media type"},
	CodeTooManyRequests:    {http.StatusTooManyRequests, "too-many-requests", "Too many requests"},
	CodeUnavailable:        {http.StatusServiceUnavailable, "unavailable", "Unavailable"},
}

// retryUnavailable is the Retry-After for a database or sidecar that is unavailable, and for a 429 or 503 without a time
// of its own. A restart takes some seconds, and clients that come back earlier would fail again.
const retryUnavailable = 2 * time.Second

// FieldError names one field and what is wrong with it.
type FieldError struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

// Error is an error with a status and a message for the client. Err is for the log.
type Error struct {
	Code       Code
	Message    string
	Fields     []FieldError
	Err        error
	RetryAfter time.Duration
	Task       any    // of a 412: the task as it is
	Challenge  string // of a 401: parameters of WWW-Authenticate after its scheme (RFC 9110, section 11.6.1)
}

// Error returns the message and the cause, for the log.
func (e *Error) Error() string {
	switch {
	case e.Err == nil:
		return e.Message
	case e.Message == "":
		return e.Err.Error()
	}
	return e.Message + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Status returns the HTTP status of the error.
func (e *Error) Status() int { return kinds[e.Code].status }

// field makes an error that names one field. Without a name the message is msg alone.
func field(code Code, name, msg string) *Error {
	if name == "" {
		return &Error{Code: code, Message: msg}
	}
	return &Error{Code: code, Message: name + " " + msg, Fields: []FieldError{{name, msg}}}
}

// Invalid is a 400 that names a field. msg continues a sentence that begins with the name ("is missing").
func Invalid(name, msg string) *Error { return field(CodeInvalid, name, msg) }

// Unprocessable is a 422 that names a field. msg continues a sentence that begins with the name ("must not be empty").
func Unprocessable(name, msg string) *Error { return field(CodeUnprocessable, name, msg) }

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

// internalDetail is the only text that a client gets with a 500.
const internalDetail = "Something went wrong on our side."

// Internal is a 500; err is logged and never reaches the client.
func Internal(err error) *Error {
	return &Error{Code: CodeInternal, Message: internalDetail, Err: err}
}

// classify returns the Error that err is answered with. An error that is transient, such as that of a database or a
// sidecar that is away, is 503.
func classify(err error) *Error {
	var known *Error
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &tooLarge):
		return &Error{Code: CodeTooLarge, Message: "The body is larger than this service accepts.", Err: err}
	case errors.Is(err, edge.ErrSlowBody):
		return &Error{Code: CodeRequestTimeout, Message: "The body did not arrive in time.", Err: err}
	case transient.Is(err):
		return Unavailable("The service cannot do this at the moment. Try again.", retryUnavailable, err)
	}
	return Internal(err)
}
