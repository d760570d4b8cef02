//go:build k8s

package k8s

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/taskwire/taskwire/e2e/client"
)

// TestTheIngressRoutesLikeTheGateway requests paths whose answers show which service answered, and internal paths.
func TestTheIngressRoutesLikeTheGateway(t *testing.T) {
	plain := &http.Client{Timeout: 10 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	get := func(path string) (int, string) {
		t.Helper()
		// http.Get would clean the path.
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, origin(t)+"/", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.URL.Opaque = "//" + req.URL.Host + path
		resp, err := plain.Do(req)
		if err != nil {
			t.Fatalf("GET %s: %v", path, err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
	for path, want := range map[string]int{
		"/":                               http.StatusOK,
		"/docs":                           http.StatusOK,
		"/api/v1/openapi.json":            http.StatusOK,
		"/.well-known/jwks.json":          http.StatusOK,
		"/api/v1/tasks":                   http.StatusUnauthorized,
		"/api/v1/audit":                   http.StatusUnauthorized,
		"/api/v1/audit/checkpoint":        http.StatusUnauthorized,
		"/api/v1/notifications":           http.StatusUnauthorized,
		"/api/v1/preferences":             http.StatusUnauthorized,
		"/ws":                             http.StatusBadRequest, // without a WebSocket handshake
		"/wsx":                            http.StatusNotFound,   // from the task API
		"/api/v1/auditors":                http.StatusNotFound,   // from the task API
		"/api/v1/notifications/nothing/x": http.StatusNotFound,
	} {
		if status, body := get(path); status != want {
			t.Errorf("GET %s: got %d %.200s, want %d", path, status, body, want)
		}
	}
	// The controller may pass a query that cannot be parsed as it is, encode it, or read a semicolon as &. The service refuses each.
	u := client.NewUser(t, origin(t))
	for _, path := range []string{"/api/v1/tasks?q=20%", "/api/v1/sync?since=0;x=1", "/api/v1/tasks?status=completed;x=1", "/api/v1/audit?event_type=deleted%", "/api/v1/notifications?unread=a;b"} {
		if status, body, err := u.Do(http.MethodGet, path, nil, nil); err != nil || status != http.StatusBadRequest {
			t.Errorf("GET %s: got %d %.200s %v, want 400", path, status, body, err)
		}
	}
	for _, path := range []string{
		"/metrics", "/metrics/x", "/%6detrics", "//metrics", "/api/v1/../../metrics", "/api/v1/audit/%2e%2e/%2e%2e/%2e%2e/metrics",
		"/internal/jwks", "/internal/next-occurrence", "/internal/successors", "/internal", "/events/task-events", "/reminder-cron", "/dapr/subscribe", "/dapr/config",
		"/debug/pprof/", "/ws/../metrics",
	} {
		status, body := get(path)
		if status < 400 || strings.Contains(body, "go_goroutines") || strings.Contains(body, `"kty"`) {
			t.Errorf("GET %s: got %d %.200s, want an error without internal data", path, status, body)
		}
	}
}
