package httpx

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
)

// The types follow RFC 7396 and RFC 5789, section 2.2: a JSON Patch (RFC 6902) that is read as a merge patch would write
// other values than its sender means.
func TestABodyOfAnotherTypeIsRefusedWithTheRightOne(t *testing.T) {
	t.Parallel()
	e := NewEngine(Config{})
	read := Wrap(func(c *gin.Context) error {
		var body any
		if err := DecodeJSON(c, &body); err != nil {
			return err
		}
		c.Status(http.StatusNoContent)
		return nil
	})
	e.POST("/x", read)
	e.PATCH("/x", read)
	for _, tc := range []struct {
		method, mediaType, body string
		want                    int
	}{
		{"PATCH", "application/merge-patch+json", `{"title":"x"}`, 204},
		{"PATCH", "Application/Merge-Patch+JSON; charset=utf-8", `{"title":"x"}`, 204},
		{"PATCH", "application/json", `{"title":"x"}`, 204},
		{"PATCH", "application/json-patch+json", `{"title":"x"}`, 415},
		{"PATCH", "application/json-patch+json", `[{"op":"replace","path":"/title","value":"x"}]`, 415},
		{"PATCH", "application/vnd.other+json", `{"title":"x"}`, 415},
		{"PATCH", "text/json", `{"title":"x"}`, 415},
		{"POST", "application/json", `{"title":"x"}`, 204},
		{"POST", "application/merge-patch+json", `{"title":"x"}`, 415},
		{"POST", "application/json-patch+json", `[]`, 415},
		{"POST", "application/problem+json", `{}`, 415},
		{"POST", "application/json, text/plain", `{}`, 415},
		{"POST", ";", `{}`, 415},
	} {
		r := httptest.NewRequestWithContext(t.Context(), tc.method, "/x", strings.NewReader(tc.body))
		r.Header.Set("Content-Type", tc.mediaType)
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		if w.Code != tc.want {
			t.Errorf("%s of %s: got %d %s, want %d", tc.method, tc.mediaType, w.Code, w.Body, tc.want)
		}
		if tc.want != http.StatusUnsupportedMediaType {
			continue
		}
		name, want := "Accept", "application/json"
		if tc.method == http.MethodPatch {
			name, want = "Accept-Patch", "application/merge-patch+json"
		}
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s of %s: got %s %q, want %q", tc.method, tc.mediaType, name, got, want)
		}
	}
}

func TestTwoContentTypesAreNone(t *testing.T) {
	t.Parallel()
	e := NewEngine(Config{})
	e.POST("/x", Wrap(func(c *gin.Context) error {
		var body any
		return DecodeJSON(c, &body)
	}))
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/x", strings.NewReader(`{}`))
	r.Header["Content-Type"] = []string{"application/json", "application/json-patch+json"}
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	if w.Code != http.StatusUnsupportedMediaType {
		t.Errorf("got %d %s, want 415", w.Code, w.Body)
	}
}
