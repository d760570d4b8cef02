package httpx

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/prometheus/client_golang/prometheus"
)

func do(t *testing.T, h http.Handler, method, target string, header http.Header) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, nil)
	for k, v := range header {
		r.Header[k] = v
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
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

func TestOneMapFromErrorToStatus(t *testing.T) {
	secret := errors.New("pq: password of role tasks_app is hunter2")
	for _, tc := range []struct {
		name       string
		err        error
		status     int
		kind       string
		detail     string
		retryAfter string
	}{
		{"invalid", Invalid("title", "must not be empty."), 400, "invalid", "title: must not be empty.", ""},
		{"unprocessable", Unprocessable("due_at", "is in the past."), 422, "unprocessable", "due_at: is in the past.", ""},
		{"unauthorized", Unauthorized("The token has expired."), 401, "unauthorized", "The token has expired.", ""},
		{"forbidden", Forbidden(""), 403, "forbidden", "You are not allowed to do this.", ""},
		{"not found", NotFound("No such task."), 404, "not-found", "No such task.", ""},
		{"conflict", Conflict("Still running."), 409, "conflict", "Still running.", ""},
		{"gone", Gone("Too old."), 410, "gone", "Too old.", ""},
		{"precondition", PreconditionFailed("Stale."), 412, "precondition-failed", "Stale.", ""},
		{"too many", TooManyRequests("Slow down.", 1500*time.Millisecond), 429, "too-many-requests", "Slow down.", "2"},
		{"unavailable", Unavailable("Keys.", 0, secret), 503, "unavailable", "Keys.", "1"},
		{"internal", Internal(secret), 500, "internal", kinds[CodeInternal].detail, ""},
		{"internal with a message", &Error{Code: CodeInternal, Message: secret.Error()}, 500, "internal", kinds[CodeInternal].detail, ""},
		{"any other error", fmt.Errorf("lock task: %w", secret), 500, "internal", kinds[CodeInternal].detail, ""},
		{"wrapped", fmt.Errorf("complete: %w", NotFound("No such task.")), 404, "not-found", "No such task.", ""},
		{"our own deadline", fmt.Errorf("query: %w", context.DeadlineExceeded), 503, "unavailable", kinds[CodeUnavailable].detail, "1"},
		{"database shutting down", &pgconn.PgError{Code: "57P01", Message: "hunter2"}, 503, "unavailable", kinds[CodeUnavailable].detail, "1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var log bytes.Buffer
			e := NewEngine(Config{Log: slog.New(slog.NewJSONHandler(&log, nil))})
			e.GET("/x/:id", Wrap(func(*gin.Context) error { return tc.err }))
			w := do(t, e, "GET", "/x/1", nil)
			p := problemOf(t, w)
			if w.Code != tc.status || p.Status != tc.status || p.Type != "urn:taskwire:problem:"+tc.kind || p.Detail != tc.detail || p.Title != http.StatusText(tc.status) {
				t.Errorf("got %d %+v, want %d %s %q", w.Code, p, tc.status, tc.kind, tc.detail)
			}
			if len(p.TraceID) != 32 || w.Header().Get("X-Trace-Id") != p.TraceID {
				t.Errorf("got trace id %q and header %q", p.TraceID, w.Header().Get("X-Trace-Id"))
			}
			if got := w.Header().Get("Retry-After"); got != tc.retryAfter {
				t.Errorf("got Retry-After %q, want %q", got, tc.retryAfter)
			}
			if (tc.status == 401) != (w.Header().Get("WWW-Authenticate") != "") {
				t.Errorf("got WWW-Authenticate %q", w.Header().Get("WWW-Authenticate"))
			}
			if strings.Contains(fmt.Sprint(p), "hunter2") {
				t.Errorf("internal text reached the client: %+v", p)
			}
			if logged := strings.Count(log.String(), "\n"); logged != btoi(tc.status >= 500) {
				t.Errorf("got %d log lines for a %d: %s", logged, tc.status, log.String())
			}
		})
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestAPanicIsA500AndALogLineWithItsStack(t *testing.T) {
	var log bytes.Buffer
	e := NewEngine(Config{Log: slog.New(slog.NewJSONHandler(&log, nil))})
	e.GET("/x", Wrap(func(*gin.Context) error { panic("hunter2") }))
	w := do(t, e, "GET", "/x", nil)
	p := problemOf(t, w)
	if w.Code != 500 || strings.Contains(fmt.Sprint(p), "hunter2") {
		t.Errorf("got %d %+v", w.Code, p)
	}
	if !strings.Contains(log.String(), "hunter2") || !strings.Contains(log.String(), "engine_test.go") {
		t.Errorf("the log has no reason or no stack: %s", log.String())
	}
}

func TestAnAbortedAnswerStaysAborted(t *testing.T) {
	e := NewEngine(Config{})
	e.GET("/x", func(*gin.Context) { panic(http.ErrAbortHandler) })
	defer func() {
		if p := recover(); p != http.ErrAbortHandler {
			t.Errorf("got panic %v, want http.ErrAbortHandler", p)
		}
	}()
	do(t, e, "GET", "/x", nil)
}

func TestAClientThatLeftIsNeitherAnErrorNorAnswered(t *testing.T) {
	var log bytes.Buffer
	e := NewEngine(Config{Log: slog.New(slog.NewJSONHandler(&log, nil))})
	e.GET("/x", Wrap(func(c *gin.Context) error { return fmt.Errorf("query: %w", c.Request.Context().Err()) }))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := httptest.NewRecorder()
	e.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", "/x", nil))
	if w.Body.Len() > 0 || log.Len() > 0 {
		t.Errorf("got body %s and log %s, want none", w.Body, log.String())
	}
}

func TestUnknownRoutesAndMethodsAreProblemsAndNothingRedirects(t *testing.T) {
	e := NewEngine(Config{})
	e.GET("/x", func(c *gin.Context) { c.Status(204) })
	for target, want := range map[string]int{"GET /x": 204, "GET /x/": 404, "GET /X": 404, "GET //x": 404, "POST /x": 405, "BREW /x": 405, "GET /y": 404} {
		method, path, _ := strings.Cut(target, " ")
		w := do(t, e, method, "http://h"+path, nil)
		if w.Code != want {
			t.Errorf("%s: got %d, want %d", target, w.Code, want)
		}
		if want >= 400 {
			problemOf(t, w)
		}
		if want == 405 && w.Header().Get("Allow") != "GET" {
			t.Errorf("%s: got Allow %q, want GET", target, w.Header().Get("Allow"))
		}
	}
}

func TestTheCallersTraceIsContinuedAndItsClaimsAreNotTrusted(t *testing.T) {
	e := NewEngine(Config{})
	var ip string
	e.GET("/x", Wrap(func(c *gin.Context) error { ip = c.ClientIP(); return NotFound("") }))
	w := do(t, e, "GET", "/x", http.Header{
		"Traceparent":     {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
		"X-Forwarded-For": {"6.6.6.6"}, "X-Real-Ip": {"6.6.6.6"},
	})
	if p := problemOf(t, w); p.TraceID != "0af7651916cd43dd8448eb211c80319c" {
		t.Errorf("got trace %q, want the caller's", p.TraceID)
	}
	if ip == "6.6.6.6" {
		t.Error("X-Forwarded-For was believed")
	}
	w = do(t, e, "GET", "/x", http.Header{"Traceparent": {"00-nonsense\"}-01"}})
	if p := problemOf(t, w); len(p.TraceID) != 32 {
		t.Errorf("malformed traceparent: got trace %q, want a new one", p.TraceID)
	}
}

func TestMetricsCarryTheRouteAndTwoEnginesShareARegistry(t *testing.T) {
	reg := prometheus.NewRegistry()
	public, app := NewEngine(Config{Registerer: reg}), NewEngine(Config{Registerer: reg})
	public.GET("/tasks/:id", func(c *gin.Context) { c.Status(204) })
	app.POST("/events/:topic", func(c *gin.Context) { c.Status(200) })
	do(t, public, "GET", "/tasks/secret-1", nil)
	do(t, public, "GET", "/secret-2", nil)
	do(t, public, "SECRET-3", "/tasks/1", nil)
	do(t, app, "POST", "/events/x", nil)
	Health(public, nil, reg)
	text := do(t, public, "GET", "/metrics", nil).Body.String()
	for _, want := range []string{
		`http_requests_total{method="GET",route="/tasks/:id",status="204"} 1`,
		`http_requests_total{method="GET",route="unmatched",status="404"} 1`,
		`http_requests_total{method="other",route="unmatched",status="405"} 1`,
		`http_requests_total{method="POST",route="/events/:topic",status="200"} 1`,
		`http_request_duration_seconds_count{method="GET",route="/tasks/:id"} 1`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	if strings.Contains(strings.ToLower(text), "secret") {
		t.Error("a label holds what a client sent")
	}
}

func TestReadinessSaysWhichCheckFailedAndNotWhy(t *testing.T) {
	var log bytes.Buffer
	e := NewEngine(Config{Log: slog.New(slog.NewJSONHandler(&log, nil))})
	calls := 0
	failing := errors.New("dial tcp 10.0.0.7:5432: hunter2")
	Health(e, map[string]func(context.Context) error{
		"database": func(context.Context) error { calls++; return failing },
		"sidecar":  func(context.Context) error { return nil },
	}, nil)
	for range 3 {
		w := do(t, e, "GET", "/readyz", nil)
		if want := `{"checks":{"database":"failed","sidecar":"ok"},"status":"not_ready"}`; w.Code != 503 || w.Body.String() != want {
			t.Errorf("got %d %s, want 503 %s", w.Code, w.Body, want)
		}
	}
	if calls != 1 {
		t.Errorf("got %d checks for three requests at once, want 1", calls)
	}
	if strings.Count(log.String(), "hunter2") != 1 {
		t.Errorf("want the reason in the log once: %s", log.String())
	}
	if w := do(t, e, "GET", "/healthz", nil); w.Code != 200 {
		t.Errorf("/healthz: got %d, want 200 whatever the database does", w.Code)
	}
	if w := do(t, e, "GET", "/metrics", nil); w.Code != 404 {
		t.Errorf("/metrics without a registry: got %d", w.Code)
	}
}

func TestReadinessOfAServiceWithoutDependencies(t *testing.T) {
	e := NewEngine(Config{})
	Health(e, nil, nil)
	if w := do(t, e, "GET", "/readyz", nil); w.Code != 200 || !strings.Contains(w.Body.String(), `"ready"`) {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestSecurityHeadersAreOnEveryAnswerAndAHandlerMaySetItsOwnCaching(t *testing.T) {
	e := NewEngine(Config{})
	e.GET("/page", func(c *gin.Context) { c.Header("Cache-Control", "public"); _, _ = io.WriteString(c.Writer, "x") })
	for path, cache := range map[string]string{"/page": "public", "/none": "no-store"} {
		h := do(t, e, "GET", path, nil).Header()
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("X-Frame-Options") != "DENY" || h.Get("Cache-Control") != cache {
			t.Errorf("%s: got headers %v", path, h)
		}
	}
}
