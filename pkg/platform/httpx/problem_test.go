package httpx

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/jackc/pgx/v5/pgconn"

	_ "github.com/taskwire/taskwire/pkg/platform/postgres" // registers its classifier of errors
	"github.com/taskwire/taskwire/testkit/logtest"
)

// secret must be logged and never sent to a client.
const secret = "hunter2"

type passing bool

func (passing) Error() string     { return "the sidecar at " + secret + " is away" }
func (p passing) Transient() bool { return bool(p) }

func TestOneMapFromErrorToStatus(t *testing.T) {
	cause := errors.New("pq: password of role tasks_app is " + secret)
	const away = "The service cannot do this at the moment. Try again."
	for _, tc := range []struct {
		name       string
		err        error
		status     int
		kind       string
		detail     string
		retryAfter string
	}{
		{"invalid", Invalid("title", "must not be empty."), 400, "invalid-request", "title must not be empty.", ""},
		{"unprocessable", Unprocessable("due_at", "is in the past."), 422, "invalid-value", "due_at is in the past.", ""},
		{"unauthorized", Unauthorized("The token has expired."), 401, "unauthorized", "The token has expired.", ""},
		{"forbidden", Forbidden(""), 403, "forbidden", "", ""},
		{"not found", NotFound("No such task."), 404, "not-found", "No such task.", ""},
		{"method", &Error{Code: CodeMethodNotAllowed}, 405, "method-not-allowed", "", ""},
		{"conflict", Conflict("Still running."), 409, "conflict", "Still running.", ""},
		{"conflict with a time", &Error{Code: CodeConflict, RetryAfter: time.Millisecond}, 409, "conflict", "", "1"},
		{"gone", Gone("Too old."), 410, "gone", "Too old.", ""},
		{"precondition", PreconditionFailed("Stale."), 412, "precondition-failed", "Stale.", ""},
		{"too large", &Error{Code: CodeTooLarge, Err: cause}, 413, "too-large", "", ""},
		{"the body's limit", fmt.Errorf("read: %w", &http.MaxBytesError{Limit: 1}), 413, "too-large", "The body is larger than this service accepts.", ""},
		{"media type", &Error{Code: CodeUnsupportedMedia}, 415, "unsupported-media-type", "", ""},
		{"too many", TooManyRequests("Slow down.", 1500*time.Millisecond), 429, "too-many-requests", "Slow down.", "2"},
		{"too many without a time", TooManyRequests("Slow down.", 0), 429, "too-many-requests", "Slow down.", "2"},
		{"unavailable", Unavailable("Keys.", time.Minute, cause), 503, "unavailable", "Keys.", "60"},
		{"unavailable without a time", Unavailable("Keys.", 0, cause), 503, "unavailable", "Keys.", "2"},
		{"internal", Internal(cause), 500, "internal", internalDetail, ""},
		{"internal with a text", &Error{Code: CodeInternal, Message: cause.Error()}, 500, "internal", internalDetail, ""},
		{"without a code", &Error{Message: cause.Error()}, 500, "internal", internalDetail, ""},
		{"any other error", fmt.Errorf("lock task: %w", cause), 500, "internal", internalDetail, ""},
		{"wrapped", fmt.Errorf("complete: %w", NotFound("No such task.")), 404, "not-found", "No such task.", ""},
		{"our own deadline", fmt.Errorf("query: %w", context.DeadlineExceeded), 503, "unavailable", away, "2"},
		{"database shutting down", &pgconn.PgError{Code: "57P01", Message: secret}, 503, "unavailable", away, "2"},
		{"database refuses connections", fmt.Errorf("begin: %w", &net.OpError{Op: "dial", Err: cause}), 503, "unavailable", away, "2"},
		{"a constraint", &pgconn.PgError{Code: "23514", Message: secret}, 500, "internal", internalDetail, ""},
		{"sidecar away", fmt.Errorf("invoke: %w", passing(true)), 503, "unavailable", away, "2"},
		{"sidecar says no", fmt.Errorf("invoke: %w", passing(false)), 500, "internal", internalDetail, ""},
		{"cancelled by ourselves", context.Canceled, 500, "internal", internalDetail, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var log bytes.Buffer
			e := NewEngine(Config{Log: slog.New(slog.NewJSONHandler(&log, nil))})
			e.GET("/x/:id", Wrap(func(*gin.Context) error { return tc.err }))
			w := do(t, e, "GET", "/x/1", nil)
			p := problemOf(t, w)
			if w.Code != tc.status || p.Status != tc.status || p.Type != "urn:taskwire:problem:"+tc.kind || p.Detail != tc.detail || p.Title == "" {
				t.Errorf("got %d %+v, want %d %s %q", w.Code, p, tc.status, tc.kind, tc.detail)
			}
			if len(p.TraceID) != 32 {
				t.Errorf("got trace id %q", p.TraceID)
			}
			if got := w.Header().Get("Retry-After"); got != tc.retryAfter {
				t.Errorf("got Retry-After %q, want %q", got, tc.retryAfter)
			}
			if (tc.status == 401) != (w.Header().Get("WWW-Authenticate") == "Bearer") {
				t.Errorf("got WWW-Authenticate %q", w.Header().Get("WWW-Authenticate"))
			}
			if strings.Contains(fmt.Sprint(p, w.Header()), secret) {
				t.Errorf("the cause reached the client: %+v", p)
			}
			wantLines := 0
			if tc.status >= 500 {
				wantLines = 1
			}
			if logged := strings.Count(log.String(), "\n"); logged != wantLines {
				t.Errorf("got %d log lines for a %d: %s", logged, tc.status, log.String())
			}
		})
	}
}

func TestEveryCodeHasItsOwnProblemType(t *testing.T) {
	// A quota is a 403 with a type of its own, by which a client tells it from a lack of rights.
	shared := map[Code]Code{CodeQuota: CodeForbidden}
	statuses, slugs := map[int]Code{}, map[string]Code{}
	for code := CodeInternal; code <= CodeUnavailable; code++ {
		kind, ok := kinds[code]
		if !ok || http.StatusText(kind.status) == "" || kind.status < 400 {
			t.Errorf("code %d: got status %d, want one of an error", code, kind.status)
		}
		if other, twice := statuses[kind.status]; twice && shared[code] != other {
			t.Errorf("code %d: got status %d, which code %d has too", code, kind.status, other)
		} else if !twice {
			statuses[kind.status] = code
		}
		if other, twice := slugs[kind.slug]; twice || kind.slug == "" || kind.title == "" {
			t.Errorf("code %d: got %q, which code %d has too", code, kind.slug, other)
		}
		slugs[kind.slug] = code
	}
	if len(kinds) != len(slugs) {
		t.Errorf("got %d kinds for %d codes", len(kinds), len(slugs))
	}
}

func TestAPanicIsA500AndALogLineWithItsStack(t *testing.T) {
	var log bytes.Buffer
	e := NewEngine(Config{Log: slog.New(slog.NewJSONHandler(&log, nil))})
	e.GET("/x", Wrap(func(*gin.Context) error { panic(secret) }))
	w := do(t, e, "GET", "/x", nil)
	p := problemOf(t, w)
	if w.Code != 500 || p.Detail != internalDetail || strings.Contains(fmt.Sprint(p), secret) {
		t.Errorf("got %d %+v", w.Code, p)
	}
	if lines := strings.Count(log.String(), "\n"); lines != 1 || !strings.Contains(log.String(), secret) || !strings.Contains(log.String(), "engine_test.go") {
		t.Errorf("got %d lines, want one with reason and stack: %s", lines, log.String())
	}
	if !strings.Contains(log.String(), `"route":"/x"`) {
		t.Errorf("the log line does not name the route: %s", log.String())
	}
}

// Without the cut, the body would look complete.
func TestAnErrorInTheMiddleOfAnAnswerCutsIt(t *testing.T) {
	for name, h := range map[string]func(*gin.Context) error{
		"error": func(*gin.Context) error { return errors.New(secret) },
		"panic": func(*gin.Context) error { panic(secret) },
	} {
		t.Run(name, func(t *testing.T) {
			var log logtest.Buffer
			e := NewEngine(Config{Log: slog.New(slog.NewJSONHandler(&log, nil))})
			e.GET("/x", Wrap(func(c *gin.Context) error {
				_, _ = io.WriteString(c.Writer, `{"items":[`)
				c.Writer.Flush()
				return h(c)
			}))
			srv := httptest.NewServer(e)
			defer srv.Close()
			resp, err := srv.Client().Get(srv.URL + "/x")
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err == nil || strings.Contains(string(body), secret) {
				t.Errorf("got body %s, %v; want an error", body, err)
			}
			srv.Close()
			if lines := strings.Count(log.String(), "\n"); lines != 1 || !strings.Contains(log.String(), secret) {
				t.Errorf("got %d log lines, want one: %s", lines, log.String())
			}
		})
	}
}

func problemOf(t *testing.T, w *httptest.ResponseRecorder) Problem {
	t.Helper()
	if ct := w.Header().Get("Content-Type"); ct != "application/problem+json" {
		t.Errorf("got content type %q, want a problem document; body %s", ct, w.Body)
	}
	var p Problem
	dec := json.NewDecoder(w.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&p); err != nil {
		t.Fatal(err)
	}
	return p
}

// database/sql rolls a transaction back when its context ends. The commit then returns only ErrTxDone.
func TestATransactionThatEndsWithItsRequestIsNoError(t *testing.T) {
	gone, leave := context.WithCancel(t.Context())
	leave()
	late, cancel := context.WithDeadline(t.Context(), time.Now())
	defer cancel()
	for name, tc := range map[string]struct {
		ctx  context.Context
		want int
	}{
		"the client left":    {gone, statusClientGone},
		"its time was up":    {late, http.StatusServiceUnavailable},
		"for no such reason": {t.Context(), http.StatusInternalServerError},
	} {
		var status int
		e := NewEngine(Config{})
		e.GET("/", func(c *gin.Context) {
			c.Request = c.Request.WithContext(tc.ctx)
			WriteError(c, fmt.Errorf("commit: %w", sql.ErrTxDone))
			status = c.Writer.Status()
		})
		do(t, e, "GET", "/", nil)
		if status != tc.want {
			t.Errorf("%s: got %d, want %d", name, status, tc.want)
		}
	}
}
