package gateway

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/taskwire/taskwire/pkg/events/apps"
)

// raw sends the bytes of a request, closes the sending side if the request ends too early, and returns the answer.
func raw(t *testing.T, url, request string, ends bool) (*http.Response, string) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	if ends {
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
	}
	method, _, _ := strings.Cut(request, " ")
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%q: %v", request, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%q: %v", request, err)
	}
	return resp, string(body)
}

const chunked = " HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"

// The upstream reads the body, as each service does, and would answer 200.
func TestABodyThatIsNotHTTPIsTheClientsFault(t *testing.T) {
	var log bytes.Buffer
	url, stop := serve(t, Config{Upstreams: upstreams(t, echo), Log: slog.New(slog.NewTextHandler(&log, nil))})
	sized := " HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n"
	for name, rest := range map[string]string{
		"a size that is no number":         chunked + "zz\r\n{}\r\n0\r\n\r\n",
		"a negative size":                  chunked + "-1\r\n{}\r\n0\r\n\r\n",
		"a size of 17 digits":              chunked + "10000000000000000\r\n{}\r\n0\r\n\r\n",
		"no size":                          chunked + "\r\n{}\r\n0\r\n\r\n",
		"a chunk longer than its size":     chunked + "2\r\n{}{}\r\n0\r\n\r\n",
		"a bare line feed after a size":    chunked + "2\n{}\r\n0\r\n\r\n",
		"good chunks and then a bad one":   chunked + "1\r\n{\r\n1\r\n}\r\nxyz\r\n",
		"no last chunk":                    chunked + "2\r\n{}\r\n",
		"an end within a chunk":            chunked + "20\r\n{}",
		"fewer bytes than Content-Length":  sized + "{}",
		"no byte of a body with a length":  sized,
		"trailers that are not HTTP":       chunked + "2\r\n{}\r\n0\r\n: x\r\n\r\n",
		"a body that ends in the trailers": chunked + "2\r\n{}\r\n0\r\nA: b",
	} {
		for app, path := range map[string]string{apps.TaskAPI: "/api/v1/tasks", apps.Notification: "/api/v1/preferences", apps.Audit: "/api/v1/audit"} {
			resp, body := raw(t, url, "POST "+path+rest, true)
			var p problemDocument
			if err := json.Unmarshal([]byte(body), &p); resp.StatusCode != http.StatusBadRequest || err != nil || p.Status != http.StatusBadRequest {
				t.Errorf("%s to %s: got %d %s, want 400 and a problem document", name, app, resp.StatusCode, body)
			}
			if !resp.Close || resp.Header.Get("Retry-After") != "" {
				t.Errorf("%s to %s: got Connection %v and Retry-After %q, want close and none", name, app, resp.Close, resp.Header.Get("Retry-After"))
			}
		}
	}
	if resp, body := raw(t, url, "GET /api/v1/tasks HTTP/1.1\r\nHost: x\r\n\r\n", true); resp.StatusCode != http.StatusBadRequest && body == "" {
		t.Errorf("a client that closes its sending side: got %d without a body, want the answer or 400", resp.StatusCode)
	}
	if resp, body := raw(t, url, "POST /api/v1/tasks"+chunked+"2;ext=1\r\n{}\r\n0\r\nTrailer: x\r\n\r\n", false); resp.StatusCode != http.StatusOK || !strings.Contains(body, `"body":"{}"`) {
		t.Errorf("a right one: got %d %s, want 200", resp.StatusCode, body)
	}
	if err := stop(); err != nil {
		t.Errorf("Serve: %v", err)
	}
	if strings.Contains(log.String(), "does not answer") {
		t.Errorf("the log says that an upstream does not answer:\n%s", log.String())
	}
}

// net/http's proxy leaves such parameters out, so a filter would be missing from an answer with 200.
func TestAQueryReachesTheServiceByteForByte(t *testing.T) {
	url, _ := serve(t, Config{Upstreams: upstreams(t, echo)})
	for _, target := range []string{
		"/api/v1/tasks?q=20%", "/api/v1/tasks?status=completed;x=1", "/api/v1/tasks?status=completed;", "/api/v1/tasks?limit=1;", "/api/v1/tasks?tag=%zz",
		"/api/v1/sync?since=2;", "/api/v1/audit?event_type=deleted%", "/api/v1/notifications?unread=true%", "/api/v1/stats?a;b", "/api/v1/tags?%",
		"/api/v1/tasks?q=20%25", "/api/v1/tasks?&&a=1&=&", "/api/v1/tasks?q=a+b%20c", "/api/v1/tasks?q=\xff", "/?%", "/docs?a;b",
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "DELETE"} {
			resp, body := raw(t, url, method+" "+target+" HTTP/1.1\r\nHost: x\r\n\r\n", false)
			var got struct{ Path string }
			if resp.StatusCode != http.StatusOK {
				t.Errorf("%s %s: got %d", method, target, resp.StatusCode)
				continue
			}
			if method == "HEAD" {
				continue
			}
			if err := json.Unmarshal([]byte(body), &got); err != nil || got.Path != strings.ToValidUTF8(target, "�") {
				t.Errorf("%s %s: the service saw %q (%v)", method, target, got.Path, err)
			}
		}
	}
}
