package httpx

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
)

// request sends a raw request target, which net/http's client would clean.
func rawRequest(t *testing.T, srv *httptest.Server, method, target string, header http.Header) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, srv.URL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.URL.Path, req.URL.RawQuery, _ = strings.Cut(target, "?")
	for k, v := range header {
		req.Header[k] = v
	}
	resp, err := srv.Client().Transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func TestHEADAnswersAsGETWithoutTheBody(t *testing.T) {
	t.Parallel()
	e := NewEngine(Config{})
	Health(e, nil, nil)
	GET(e, "/short", func(c *gin.Context) { c.Header("ETag", `"v1"`); c.JSON(http.StatusOK, gin.H{"a": 1}) })
	GET(e, "/long", func(c *gin.Context) { c.JSON(http.StatusOK, gin.H{"a": strings.Repeat("x", 10_000)}) })
	GET(e, "/refused", Wrap(func(*gin.Context) error { return NotFound("There is no such thing.") }))
	srv := httptest.NewServer(e)
	defer srv.Close()
	for _, encoding := range []string{"identity", "gzip"} {
		for _, path := range []string{"/short", "/long", "/refused", "/healthz", "/readyz", "/none", "/short?%"} {
			accept := http.Header{"Accept-Encoding": {encoding}}
			get, full := rawRequest(t, srv, http.MethodGet, path, accept)
			head, body := rawRequest(t, srv, http.MethodHead, path, accept)
			if head.StatusCode != get.StatusCode || body != "" || full == "" {
				t.Errorf("HEAD %s in %s: got %d with %d bytes, want %d without a body", path, encoding, head.StatusCode, len(body), get.StatusCode)
			}
			for _, name := range []string{"Content-Type", "ETag", "Content-Encoding", "Vary", "Cache-Control"} {
				if got, want := head.Header.Get(name), get.Header.Get(name); got != want {
					t.Errorf("HEAD %s in %s: got %s %q, want %q as for GET", path, encoding, name, got, want)
				}
			}
			if n := head.Header.Get("Content-Length"); n != "" && get.ContentLength >= 0 && n != get.Header.Get("Content-Length") && !strings.Contains(full, "trace_id") {
				t.Errorf("HEAD %s in %s: got Content-Length %s, want none or %s", path, encoding, n, get.Header.Get("Content-Length"))
			}
		}
	}
	resp, _ := rawRequest(t, srv, http.MethodPut, "/short", nil)
	if got := resp.Header.Get("Allow"); resp.StatusCode != http.StatusMethodNotAllowed || !strings.Contains(got, "GET") || !strings.Contains(got, "HEAD") {
		t.Errorf("PUT: got %d and Allow %q, want 405 with GET and HEAD", resp.StatusCode, got)
	}
}

// On every route, also on one that reads no parameter, and before the handler runs.
func TestAQueryThatCannotBeParsedIsRefusedOnEveryRoute(t *testing.T) {
	t.Parallel()
	e := NewEngine(Config{})
	ran := 0
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
		Handle(e, method, "/x", func(c *gin.Context) { ran++; c.Status(http.StatusNoContent) })
	}
	srv := httptest.NewServer(e)
	defer srv.Close()
	for _, query := range []string{"q=20%", "status=completed;x=1", "status=completed;", "a;b", "%", "tag=%zz", "q=%2", "a=1&b=%&c=2", "%=1", ";"} {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete, http.MethodPut} {
			resp, body := rawRequest(t, srv, method, "/x?"+query, nil)
			if resp.StatusCode != http.StatusBadRequest || resp.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%s /x?%s: got %d %s, want 400 and a problem document", method, query, resp.StatusCode, body)
			}
		}
	}
	if ran > 0 {
		t.Errorf("the handler ran %d times, want never", ran)
	}
	for _, query := range []string{"", "q=20%25", "q=a%3Bb", "a=1&&b=2", "q=+", "q=%C3%A4"} {
		if resp, body := rawRequest(t, srv, http.MethodGet, "/x?"+query, nil); resp.StatusCode != http.StatusNoContent {
			t.Errorf("GET /x?%s: got %d %s, want 204", query, resp.StatusCode, body)
		}
	}
}
