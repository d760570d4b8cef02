package gateway

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/taskwire/taskwire/local/routes"
	"github.com/taskwire/taskwire/pkg/events/apps"
)

// TestAnImportIsAnsweredWhileItIsSent sends more than net/http would read before it lets an answer begin.
func TestAnImportIsAnsweredWhileItIsSent(t *testing.T) {
	const size = 2 << 20
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		_ = control.EnableFullDuplex()
		in := bufio.NewReader(r.Body)
		line, err := in.ReadString('\n')
		if err != nil {
			t.Errorf("first line: %v", err)
		}
		_, _ = io.WriteString(w, line)
		_ = control.Flush()
		n, err := io.Copy(io.Discard, in)
		if err != nil || n != size {
			t.Errorf("upstream: got %d bytes, %v, want %d", n, err, size)
		}
		_, _ = io.WriteString(w, "done\n")
	}))
	defer upstream.Close()
	all := map[string]string{}
	for _, name := range apps.Public() {
		all[name] = upstream.URL
	}
	g, err := New(Config{Upstreams: all})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(g)
	defer server.Close()
	body, send := io.Pipe()
	go io.WriteString(send, "first\n")
	resp, err := http.Post(server.URL+routes.ImportPath, "text/plain", body)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer := bufio.NewReader(resp.Body)
	if line, err := answer.ReadString('\n'); err != nil || line != "first\n" {
		t.Fatalf("answer: got %q %v before the request has ended", line, err)
	}
	if _, err := io.WriteString(send, strings.Repeat("x", size)); err != nil {
		t.Fatal(err)
	}
	send.Close()
	if line, err := answer.ReadString('\n'); err != nil || line != "done\n" {
		t.Errorf("answer: got %q %v at the end", line, err)
	}
}
