package httpx

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
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

func TestAnAbortedAnswerStaysAborted(t *testing.T) {
	e := NewEngine(Config{})
	e.GET("/x", func(*gin.Context) { panic(http.ErrAbortHandler) })
	defer func() {
		if p := recover(); p != http.ErrAbortHandler { //nolint:errorlint // net/http compares it the same way
			t.Errorf("got panic %v, want http.ErrAbortHandler", p)
		}
	}()
	do(t, e, "GET", "/x", nil)
}

func TestAClosedConnectionIsNeitherAnErrorNorAnswered(t *testing.T) {
	var log bytes.Buffer
	reg := prometheus.NewRegistry()
	e := NewEngine(Config{Log: slog.New(slog.NewJSONHandler(&log, nil)), Registerer: reg})
	e.GET("/x", Wrap(func(c *gin.Context) error { return fmt.Errorf("query: %w", c.Request.Context().Err()) }))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := httptest.NewRecorder()
	e.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", "/x", nil))
	if w.Body.Len() > 0 || log.Len() > 0 {
		t.Errorf("got body %s and log %s, want none", w.Body, log.String())
	}
	Health(e, nil, reg)
	if text := do(t, e, "GET", "/metrics", nil).Body.String(); !strings.Contains(text, `route="/x",status="499"`) {
		t.Errorf("it does not count as 499:\n%s", text)
	}
}

func TestUnknownRoutesAndMethodsAreProblemsNotRedirects(t *testing.T) {
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

func TestTheCallersTraceIsContinued(t *testing.T) {
	e := NewEngine(Config{})
	var ip string
	e.GET("/x", Wrap(func(c *gin.Context) error { ip = ClientAddress(c).String() + AddressKey(c); return NotFound("") }))
	w := do(t, e, "GET", "/x", http.Header{
		"Traceparent":     {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
		"X-Forwarded-For": {"6.6.6.6"}, "X-Real-Ip": {"6.6.6.6"},
	})
	if p := problemOf(t, w); p.TraceID != "0af7651916cd43dd8448eb211c80319c" {
		t.Errorf("got trace %q, want the caller's", p.TraceID)
	}
	if strings.Contains(ip, "6.6.6.6") {
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
		`http_requests_total{method="GET",route="none",status="404"} 1`,
		`http_requests_total{method="other",route="none",status="405"} 1`,
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

func TestEveryAnswerHasSecurityHeaders(t *testing.T) {
	e := NewEngine(Config{})
	e.GET("/page", func(c *gin.Context) { c.Header("Cache-Control", "public"); _, _ = io.WriteString(c.Writer, "x") })
	for path, cache := range map[string]string{"/page": "public", "/none": "no-store"} {
		h := do(t, e, "GET", path, nil).Header()
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("X-Frame-Options") != "DENY" || h.Get("Cache-Control") != cache {
			t.Errorf("%s: got headers %v", path, h)
		}
	}
}

func TestABodyAboveTheLimitIs413WithAndWithoutContentLength(t *testing.T) {
	e := NewEngine(Config{BodyLimit: 100})
	e.POST("/decode", Wrap(func(c *gin.Context) error {
		var body map[string]any
		if err := DecodeJSON(c, &body); err != nil {
			return err
		}
		c.Status(http.StatusNoContent)
		return nil
	}))
	e.POST("/read", Wrap(func(c *gin.Context) error {
		_, err := io.ReadAll(c.Request.Body)
		c.Status(http.StatusNoContent)
		return err
	}))
	srv := httptest.NewServer(e)
	defer srv.Close()
	fits, large := `{"a":"`+strings.Repeat("x", 92)+`"}`, `{"a":"`+strings.Repeat("x", 93)+`"}`
	for _, path := range []string{"/decode", "/read"} {
		for name, tc := range map[string]struct {
			body   io.Reader
			status int
		}{
			"fits, with Content-Length":  {strings.NewReader(fits), 204},
			"fits, chunked":              {struct{ io.Reader }{strings.NewReader(fits)}, 204},
			"large, with Content-Length": {strings.NewReader(large), 413},
			"large, chunked":             {struct{ io.Reader }{strings.NewReader(large)}, 413},
		} {
			resp, err := srv.Client().Post(srv.URL+path, "application/json", tc.body)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode != tc.status || (tc.status == 413 && !strings.Contains(string(body), "too-large")) {
				t.Errorf("%s %s: got %d %s, want %d", path, name, resp.StatusCode, body, tc.status)
			}
		}
	}
}
