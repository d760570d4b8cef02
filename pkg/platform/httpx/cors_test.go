package httpx

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/taskwire/taskwire/pkg/platform/origin"
)

func withOrigins(t *testing.T, allowed ...string) *gin.Engine {
	t.Helper()
	set, err := origin.Parse(allowed)
	if err != nil {
		t.Fatal(err)
	}
	e := NewEngine(Config{Origins: set})
	GET(e, "/tasks/:id", func(c *gin.Context) { c.Header("ETag", `"v1"`); c.Status(http.StatusNoContent) })
	e.PATCH("/tasks/:id", Wrap(func(*gin.Context) error { return TooManyRequests("Wait.", 0) }))
	return e
}

const app = "https://app.example.com"

func TestAPreflightOfAnAllowedOriginNamesTheRoutesMethods(t *testing.T) {
	t.Parallel()
	e := withOrigins(t, app)
	w := do(t, e, http.MethodOptions, "/tasks/1", http.Header{
		"Origin": {app}, "Access-Control-Request-Method": {"PATCH"}, "Access-Control-Request-Headers": {"authorization,if-match"},
	})
	h := w.Header()
	if w.Code != http.StatusNoContent || w.Body.Len() > 0 {
		t.Errorf("got %d %s, want 204", w.Code, w.Body)
	}
	for _, method := range []string{"GET", "HEAD", "PATCH"} {
		if !strings.Contains(h.Get("Access-Control-Allow-Methods"), method) {
			t.Errorf("got methods %q, want %s among them", h.Get("Access-Control-Allow-Methods"), method)
		}
	}
	if strings.Contains(h.Get("Access-Control-Allow-Methods"), "DELETE") {
		t.Errorf("got methods %q, want those of the route only", h.Get("Access-Control-Allow-Methods"))
	}
	for _, name := range []string{"Authorization", "Content-Type", "If-Match", "If-None-Match", "Idempotency-Key"} {
		if !strings.Contains(h.Get("Access-Control-Allow-Headers"), name) {
			t.Errorf("got headers %q, want %s among them", h.Get("Access-Control-Allow-Headers"), name)
		}
	}
	if h.Get("Access-Control-Allow-Origin") != app || h.Get("Access-Control-Max-Age") == "" {
		t.Errorf("got %v, want the origin and a time", h)
	}
	wantNoCredentials(t, h)
}

func wantNoCredentials(t *testing.T, h http.Header) {
	t.Helper()
	if got := h.Values("Access-Control-Allow-Credentials"); len(got) > 0 {
		t.Errorf("got Access-Control-Allow-Credentials %v, want none: a token is no cookie", got)
	}
	if !strings.Contains(strings.Join(h.Values("Vary"), ","), "Origin") {
		t.Errorf("got Vary %v, want Origin", h.Values("Vary"))
	}
}

func TestAnAllowedOriginMayReadAnswersAndErrors(t *testing.T) {
	t.Parallel()
	e := withOrigins(t, app)
	for target, status := range map[string]int{"GET /tasks/1": 204, "PATCH /tasks/1": 429, "GET /none": 404, "PUT /tasks/1": 405, "GET /tasks/1?%": 400} {
		method, path, _ := strings.Cut(target, " ")
		w := do(t, e, method, path, http.Header{"Origin": {app}})
		h := w.Header()
		if w.Code != status || h.Get("Access-Control-Allow-Origin") != app {
			t.Errorf("%s: got %d for %q, want %d for %q", target, w.Code, h.Get("Access-Control-Allow-Origin"), status, app)
		}
		for _, name := range []string{"ETag", "Retry-After", "Location", "Idempotency-Replayed", "Link", "Accept-Patch"} {
			if !strings.Contains(h.Get("Access-Control-Expose-Headers"), name) {
				t.Errorf("%s: got exposed headers %q, want %s among them", target, h.Get("Access-Control-Expose-Headers"), name)
			}
		}
		wantNoCredentials(t, h)
	}
}

func TestAnotherOriginGetsNoLeave(t *testing.T) {
	t.Parallel()
	e := withOrigins(t, app)
	for _, from := range []string{"https://evil.example", "http://app.example.com", "null", "https://app.example.com.evil.example"} {
		preflight := do(t, e, http.MethodOptions, "/tasks/1", http.Header{"Origin": {from}, "Access-Control-Request-Method": {"PATCH"}})
		if preflight.Code != http.StatusForbidden {
			t.Errorf("preflight of %s: got %d, want 403", from, preflight.Code)
		}
		// The page of this host sends an Origin too, so the request itself is served.
		read := do(t, e, http.MethodGet, "/tasks/1", http.Header{"Origin": {from}})
		if read.Code != http.StatusNoContent {
			t.Errorf("GET of %s: got %d, want 204", from, read.Code)
		}
		for _, h := range []http.Header{preflight.Header(), read.Header()} {
			for name := range h {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("%s: got %s %q, want no such header", from, name, h.Get(name))
				}
			}
			wantNoCredentials(t, h)
		}
	}
}

func TestAStarAllowsEveryPageByTheStar(t *testing.T) {
	t.Parallel()
	h := do(t, withOrigins(t, "*"), http.MethodGet, "/tasks/1", http.Header{"Origin": {"null"}}).Header()
	if got := h.Get("Access-Control-Allow-Origin"); got != "*" {
		t.Errorf("got %q, want *", got)
	}
	wantNoCredentials(t, h)
}

func TestWithoutOriginsAndWithoutAnOriginNothingChanges(t *testing.T) {
	t.Parallel()
	preflight := http.Header{"Origin": {app}, "Access-Control-Request-Method": {"GET"}}
	if w := do(t, withOrigins(t), http.MethodOptions, "/tasks/1", preflight); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("no origin is allowed: got %d %v, want 405", w.Code, w.Header())
	}
	e := withOrigins(t, app)
	if w := do(t, e, http.MethodGet, "/tasks/1", nil); w.Code != http.StatusNoContent || w.Header().Get("Access-Control-Allow-Origin") != "" || w.Header().Get("Vary") != "Origin" {
		t.Errorf("no Origin: got %d %v, want 204 with Vary only", w.Code, w.Header())
	}
	if w := do(t, e, http.MethodOptions, "/none", preflight); w.Code != http.StatusNotFound {
		t.Errorf("an address without routes: got %d, want 404", w.Code)
	}
	if w := do(t, e, http.MethodOptions, "/tasks/1", http.Header{"Origin": {app}}); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("OPTIONS that is no preflight: got %d, want 405", w.Code)
	}
}
