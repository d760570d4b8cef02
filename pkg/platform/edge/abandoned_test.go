package edge

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// hidden is a request that a body contains. Its length is a power of two, so that the limit of what is read of a body and the
// buffer of net/http end between two of them.
const hidden = "GET /second HTTP/1.1\r\nHost: abcd.example.com.\r\nX-Fill: 01234\r\n\r\n"

// A body that is longer than what is read of an abandoned one, and full of requests.
func TestAnAbandonedBodyIsNeverServedAsRequests(t *testing.T) {
	if len(hidden) != 64 {
		t.Fatalf("hidden has %d bytes, want 64", len(hidden))
	}
	duplex := func(w http.ResponseWriter) { _ = http.NewResponseController(w).EnableFullDuplex() }
	sized := func(size int) string {
		return fmt.Sprintf("Content-Length: %d\r\n\r\n", size) + strings.Repeat(hidden, size/len(hidden))
	}
	for name, h := range map[string]http.HandlerFunc{
		"closed": func(w http.ResponseWriter, r *http.Request) {
			_ = r.Body.Close()
			w.WriteHeader(http.StatusUnauthorized)
		},
		"closed in full duplex": func(w http.ResponseWriter, r *http.Request) {
			duplex(w)
			_ = r.Body.Close()
			w.WriteHeader(http.StatusUnauthorized)
		},
		"closed after an answer in full duplex": func(w http.ResponseWriter, r *http.Request) {
			duplex(w)
			w.WriteHeader(http.StatusUnauthorized)
			_ = http.NewResponseController(w).Flush()
			_ = r.Body.Close()
		},
		"not closed": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) },
		"not closed in full duplex": func(w http.ResponseWriter, _ *http.Request) {
			duplex(w)
			w.WriteHeader(http.StatusUnauthorized)
		},
		"closed after a part was read": func(w http.ResponseWriter, r *http.Request) {
			duplex(w)
			_, _ = io.CopyN(io.Discard, r.Body, int64(len(hidden)))
			_ = r.Body.Close()
			w.WriteHeader(http.StatusUnauthorized)
		},
	} {
		for kind, body := range map[string]string{
			"1,000,000 bytes":            sized(1_000_000 / 64 * 64),
			"a little more than is read": sized(drainBytes + 64),
			"a bad chunk":                "Transfer-Encoding: chunked\r\n\r\n40\r\n" + hidden + "\r\nzz\r\n" + hidden,
		} {
			t.Run(name+", "+kind, func(t *testing.T) {
				t.Parallel()
				served := make(chan string, 100)
				addr := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					select {
					case served <- r.URL.Path:
					default:
					}
					h(w, r)
				}))
				conn := dial(t, "", addr)
				go func() { _, _ = io.WriteString(conn, "POST /first HTTP/1.1\r\nHost: x\r\n"+body) }()
				said, _ := io.ReadAll(conn) // an error means that the server has closed the connection, too
				if got := statuses(string(said)); len(got) > 1 || len(got) == 1 && got[0] != "401 Unauthorized" {
					t.Errorf("got %d answers, the first %q, want at most one, 401", len(got), got[0])
				}
				if got := <-served; got != "/first" {
					t.Errorf("%s was served first", got)
				}
				select {
				case path := <-served:
					t.Errorf("%s was served: it is a part of the body", path)
				default:
				}
			})
		}
	}
}
