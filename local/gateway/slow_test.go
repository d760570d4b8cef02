package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/taskwire/taskwire/local/routes"
	"github.com/taskwire/taskwire/pkg/platform/edge"
)

// long is longer than any of the times in these tests, on a busy machine too.
const long = 20 * time.Second

// serveWith runs a gateway with other limits than the usual ones, on the given hosts, and returns its addresses.
func serveWith(t *testing.T, cfg Config, p edge.Patience, limits edge.Limits, hosts ...string) []string {
	t.Helper()
	g, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	g.patience, g.limits = p, limits
	var listeners []net.Listener
	var addrs []string
	for _, host := range hosts {
		l, err := net.Listen("tcp", host+":0")
		if err != nil {
			t.Fatal(err)
		}
		listeners, addrs = append(listeners, l), append(addrs, l.Addr().String())
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Serve(ctx, listeners...) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return addrs
}

// trickle sends head and then drop, again and again, and returns what the gateway said until it closed the connection.
func trickle(t *testing.T, addr, head, drop string) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetReadDeadline(time.Now().Add(long))
	if _, err := io.WriteString(conn, head); err != nil {
		t.Fatal(err)
	}
	go func() {
		for drop != "" {
			if _, err := io.WriteString(conn, drop); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond) // a slow client is the subject of the test
		}
	}()
	said, err := io.ReadAll(conn)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		t.Errorf("%q: the connection is still open after %s; the gateway said %q", head, long, said)
	}
	return string(said)
}

func TestASlowBodyIsDisconnectedOnEveryRoute(t *testing.T) {
	p := edge.Patience{Header: long, Idle: long, Body: edge.Pace{Stall: 300 * time.Millisecond, Rate: 1 << 20}, Drain: 300 * time.Millisecond, Write: long}
	q := p
	q.Drain /= 3 // the service's answer comes before the gateway's 408
	addr := serveWith(t, Config{Upstreams: upstreams(t, func(name string) http.Handler {
		return edge.Handler(edge.Config{Patience: q, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") == "" { // as a service refuses: without reading the body
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			if _, err := io.ReadAll(r.Body); err != nil { // the gateway and the service have the same pace: either may be first
				problem(w, r, http.StatusRequestTimeout, name)
			}
		})})
	})}, p, edge.Limits{PerAddress: 100, Total: 100}, "127.0.0.1")[0]
	const authorized, stranger = "Authorization: Bearer t\r\n", ""
	for name, c := range map[string]struct{ request, auth, want string }{
		"a service reads the body":    {"POST /api/v1/tasks", authorized, " 408 "},
		"another service":             {"PUT /api/v1/preferences", authorized, " 408 "},
		"a method without a body":     {"DELETE /api/v1/me", authorized, " 408 "},
		"GET with a body":             {"GET /api/v1/tasks", authorized, " 408 "},
		"a service refuses":           {"POST /api/v1/tasks", stranger, " 401 "},
		"a service refuses an import": {"POST " + routes.ImportPath, stranger, " 401 "},
		"a WebSocket's route":         {"POST /ws", stranger, " 401 "},
		"the gateway's health":        {"POST /healthz", stranger, " 405 "},
		"a GET of its health":         {"GET /healthz", stranger, " 200 "},
		"a hidden route":              {"POST /metrics", stranger, " 404 "},
		"an unclear path":             {"POST //x", authorized, " 404 "},
	} {
		for body, b := range map[string]struct{ head, drop string }{
			"bytes":   {"Content-Length: 10000\r\n\r\n{", " "},
			"nothing": {"Content-Length: 10000\r\n\r\n", ""},
			"chunks":  {"Transfer-Encoding: chunked\r\n\r\n", "1\r\n \r\n"},
		} {
			t.Run(name+", "+body, func(t *testing.T) {
				t.Parallel()
				said := trickle(t, addr, c.request+" HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"+c.auth+b.head, b.drop)
				if status, _, _ := strings.Cut(said, "\r\n"); !strings.Contains(status, c.want) {
					t.Errorf("got %q, want%s", status, c.want)
				}
				if n := strings.Count(said, "HTTP/1.1 "); n != 1 {
					t.Errorf("got %d answers, want 1: %q", n, said)
				}
				if _, document, _ := strings.Cut(said, "\r\n\r\n"); c.want == " 408 " {
					var got problemDocument
					if err := json.Unmarshal([]byte(document), &got); err != nil || got.Status != http.StatusRequestTimeout {
						t.Errorf("got %q, want a problem document", document)
					}
				}
			})
		}
	}
}

func TestAnAnswerThatNobodyReadsIsDisconnected(t *testing.T) {
	p := edge.Patience{Header: long, Idle: long, Body: edge.Pace{Stall: long, Rate: 1}, Drain: long, Write: 300 * time.Millisecond}
	ended := make(chan error, 1)
	addr := serveWith(t, Config{Upstreams: upstreams(t, func(string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			var err error
			for block := make([]byte, 1<<20); err == nil; {
				_, err = w.Write(block)
			}
			ended <- err
		})
	})}, p, edge.Limits{PerAddress: 9, Total: 9}, "127.0.0.1")[0]
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "GET /api/v1/export?format=csv HTTP/1.1\r\nHost: x\r\n\r\n")
	select {
	case <-ended: // the gateway gave the upstream up with the client
	case <-time.After(long):
		t.Errorf("the service still writes after %s", long)
	}
}

// An import asks for less than other bodies, and the task API ends one that is too slow.
func TestAnImportHasThePaceOfTheTaskAPI(t *testing.T) {
	const pieces = 10
	p := edge.Patience{Header: long, Idle: long, Body: edge.Pace{Stall: 200 * time.Millisecond, Rate: 1 << 30}, Drain: 300 * time.Millisecond, Write: long}
	addr := serveWith(t, Config{Upstreams: upstreams(t, func(string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			control := http.NewResponseController(w)
			_ = control.EnableFullDuplex()
			if n, err := io.CopyN(io.Discard, r.Body, pieces); err != nil {
				t.Errorf("the service read %d bytes: %v", n, err)
			}
			w.WriteHeader(http.StatusRequestTimeout) // as the task API ends an import that has stalled
			_ = control.Flush()
		})
	})}, p, edge.Limits{PerAddress: 9, Total: 9}, "127.0.0.1")[0]
	said := trickle(t, addr, "POST "+routes.ImportPath+"?format=jsonl HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\n \r\n")
	if !strings.HasPrefix(said, "HTTP/1.1 408 ") || strings.Count(said, "HTTP/1.1 ") != 1 || !strings.HasSuffix(said, "0\r\n\r\n") {
		t.Errorf("got %q, want the service's 408 as a whole", said)
	}
}

func TestOneAddressDoesNotHarmAnother(t *testing.T) {
	p := edge.NewPatience(routes.ReadHeaderTimeout, routes.IdleTimeout)
	const perAddress = 20
	addr := serveWith(t, Config{Upstreams: upstreams(t, echo)}, p, edge.Limits{PerAddress: perAddress, Total: 2 * perAddress}, "127.0.0.1")[0]
	for i := range 5 * perAddress {
		conn, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}).Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if i%2 == 0 { // half of them are idle, half have a slow body
			_, _ = io.WriteString(conn, "POST /api/v1/tasks HTTP/1.1\r\nHost: x\r\nContent-Length: 10000\r\n\r\n{")
		}
	}
	from := &http.Transport{DialContext: (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 3)}}).DialContext}
	defer from.CloseIdleConnections()
	resp, err := (&http.Client{Transport: from, Timeout: long}).Get("http://" + addr + "/api/v1/tasks")
	if err != nil {
		t.Fatalf("from another address: %v", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("from another address: got %d, want 200", resp.StatusCode)
	}
}
