package dapr

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/taskwire/taskwire/testkit/sidecar"
)

// callee starts an app with its sidecar and returns a client on another app's sidecar.
func callee(t *testing.T, app http.Handler) (c *Client, calleeSidecar *sidecar.Sidecar) {
	t.Helper()
	srv := httptest.NewServer(app)
	t.Cleanup(srv.Close)
	names := sidecar.Names(filepath.Join(t.TempDir(), "names.db"))
	to := sidecar.Start(t, sidecar.Config{AppID: "task-api", AppPort: srv.Listener.Addr().(*net.TCPAddr).Port, AppToken: "app-token", Config: names})
	from := sidecar.Start(t, sidecar.Config{AppID: "recurring-task", Config: names})
	return newClient(t, from, nil), to
}

func TestInvokeKeepsVerbQueryBodyTraceAndAnswer(t *testing.T) {
	t.Parallel()
	type seen struct{ Method, URI, Body, ContentType, Token, Trace string }
	var last atomic.Pointer[seen]
	c, _ := callee(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		if strings.HasPrefix(r.URL.Path, "/internal") {
			last.Store(&seen{r.Method, r.URL.RequestURI(), string(b), r.Header.Get("Content-Type"), r.Header.Get("dapr-api-token"), r.Header.Get("traceparent")})
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusCreated)
			_, _ = w.Write([]byte(`{"seq":9007199254740993}`))
			return
		}
		w.WriteHeader(http.StatusNotFound)
	}))
	ctx := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1, 2, 3}, SpanID: trace.SpanID{4}, TraceFlags: trace.FlagsSampled,
	}))
	for _, tc := range []struct {
		method, path string
		body         any
		want         string
	}{
		{"POST", "/internal/successors", map[string]any{"seq": int64(9007199254740993)}, `{"seq":9007199254740993}`},
		{"GET", "/internal/changes?user_id=a%2Fb%26c&since=7&limit=200", nil, ""},
		{"PUT", "/internal/x", json.RawMessage(`{"a":1}`), `{"a":1}`},
		{"DELETE", "/internal/x?q=1&q=2", nil, ""},
		{"PATCH", "internal/x", []byte(`[1]`), `[1]`},
	} {
		status, resp, err := c.Invoke(ctx, "task-api", tc.method, tc.path, tc.body)
		if err != nil || status != http.StatusCreated || string(resp) != `{"seq":9007199254740993}` {
			t.Fatalf("%s %s: got %d %s %v, want 201 and the app's body", tc.method, tc.path, status, resp, err)
		}
		got := *last.Load()
		if got.Method != tc.method || got.URI != "/"+strings.TrimPrefix(tc.path, "/") || got.Body != tc.want || got.Token != "app-token" {
			t.Errorf("%s %s: the app saw %+v", tc.method, tc.path, got)
		}
		if tc.body != nil && !strings.HasPrefix(got.ContentType, "application/json") {
			t.Errorf("%s %s: got content type %q, want JSON", tc.method, tc.path, got.ContentType)
		}
		if !strings.Contains(got.Trace, "01020300000000000000000000000000") {
			t.Errorf("%s %s: got traceparent %q, want the caller's trace", tc.method, tc.path, got.Trace)
		}
	}
}

func TestInvokeReturnsTheAppsOwnErrors(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	var status atomic.Int32
	c, _ := callee(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/internal/x" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		calls.Add(1)
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(int(status.Load()))
		_, _ = w.Write([]byte(`{"title":"a long enough text to be cut at 63 characters by the gRPC path of daprd"}`))
	}))
	for _, tc := range []struct {
		status, calls int
		transient     bool
	}{
		{302, 1, false}, {400, 1, false}, {404, 1, false}, {409, 1, false}, {410, 1, false}, {422, 1, false},
		{429, 1, true}, {500, 1, true}, {503, 3, true},
	} {
		calls.Store(0)
		status.Store(int32(tc.status))
		got, body, err := c.Invoke(t.Context(), "task-api", "POST", "/internal/x?secret=1", map[string]int{})
		var e *InvokeError
		if !errors.As(err, &e) || e.Status != tc.status || got != tc.status || string(e.Body) != string(body) || !json.Valid(body) {
			t.Errorf("%d: got %d, body %s, %v; want *InvokeError with the app's body", tc.status, got, body, err)
			continue
		}
		if e.Transient() != tc.transient || int(calls.Load()) != tc.calls {
			t.Errorf("%d: transient %v after %d calls, want %v after %d", tc.status, e.Transient(), calls.Load(), tc.transient, tc.calls)
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("%d: the error's text has the query: %v", tc.status, err)
		}
	}
}

func TestInvokeOfAMissingAppIsATransientError(t *testing.T) {
	t.Parallel()
	c, to := callee(t, http.NotFoundHandler())
	for name, app := range map[string]string{"unknown app": "nobody", "app whose sidecar died": "task-api"} {
		to.Kill()
		_, _, err := c.Invoke(t.Context(), app, "GET", "/internal/x", nil)
		var e *Error
		if !errors.As(err, &e) || e.Attempts != 3 || e.Component != app || !e.Transient() {
			t.Errorf("%s: got %v, want a transient *Error after 3 attempts", name, err)
		}
	}
}

func TestInvokeOfAnUnencodableBodyIsNotTransient(t *testing.T) {
	t.Parallel()
	c, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _, err = c.Invoke(context.Background(), "task-api", "POST", "/x", func() {})
	var e *Error
	if !errors.As(err, &e) || e.Transient() {
		t.Errorf("got %v, want a permanent *Error", err)
	}
}
