package httpx

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/taskwire/taskwire/pkg/platform/edge"
)

// quick holds short timeouts, so that the tests are fast.
var quick = edge.Patience{
	Header: 150 * time.Millisecond, Idle: 200 * time.Millisecond, Body: edge.Pace{Stall: 300 * time.Millisecond, Rate: 1 << 10},
	Drain: 250 * time.Millisecond, Write: 400 * time.Millisecond,
}

// impatient serves an engine with the timeouts of quick and returns its address.
func impatient(t *testing.T, engine http.Handler) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() {
		served <- serve(ctx, edge.Limit(edge.Limits{PerAddress: 10, Total: 10}, l)[0], engine, discard, time.Second, quick)
	}()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return l.Addr().String()
}

func echo() http.Handler {
	engine := NewEngine(Config{Service: "slow"})
	engine.POST("/", Wrap(func(c *gin.Context) error {
		var body map[string]any
		if err := DecodeJSON(c, &body); err != nil {
			return err
		}
		c.Status(http.StatusNoContent)
		return nil
	}))
	return engine
}

// trickle sends the texts slowly, one by one. It returns the server's answer until the connection was closed, and how long
// that took. It gives up after ten seconds.
func trickle(t *testing.T, addr, start, drop string, every time.Duration) (string, time.Duration) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	begin := time.Now()
	if err := conn.SetDeadline(begin.Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, start); err != nil {
		t.Fatal(err)
	}
	closed := make(chan struct{})
	go func() {
		for {
			select {
			case <-closed:
				return
			case <-time.After(every):
				if _, err := io.WriteString(conn, drop); err != nil {
					return
				}
			}
		}
	}()
	said, _ := io.ReadAll(conn) // ends when the server closes, or by the deadline
	close(closed)
	return string(said), time.Since(begin)
}

func TestClientsThatSendSlowlyAreDisconnected(t *testing.T) {
	addr := impatient(t, echo())
	for _, tc := range []struct {
		name, start, drop, want string
		limit                   time.Duration
	}{
		{"nothing at all", "", "", "", quick.Header},
		{"headers byte by byte", "POST / HTTP/1.1\r\nHost: x\r\n", "X-A: b\r\n", "", quick.Header},
		{"a request line that never ends", "POST /", "a", "", quick.Header},
		{"a body byte by byte", "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n{", " ", "did not arrive in time", quick.Body.Stall},
		{"chunks one by one", "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n", "1\r\n \r\n", "408 Request Timeout", quick.Body.Stall},
		{"nothing after the answer", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", "", "204 No Content", quick.Idle},
	} {
		t.Run(tc.name, func(t *testing.T) {
			said, took := trickle(t, addr, tc.start, tc.drop, 20*time.Millisecond)
			if took < tc.limit/2 || took > tc.limit+3*time.Second {
				t.Errorf("the connection was closed after %s, want about %s", took, tc.limit)
			}
			if !strings.Contains(said, tc.want) || strings.Contains(said, " 500 ") {
				t.Errorf("got %q, want %q", said, tc.want)
			}
		})
	}
}

func TestAClientThatDoesNotReadIsDisconnected(t *testing.T) {
	ended := make(chan error, 1)
	addr := impatient(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		var err error
		for block := make([]byte, 1<<20); err == nil; {
			_, err = w.Write(block)
		}
		ended <- err
	}))
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("the handler still writes after 10 s")
	}
}

func TestASlowClientThatIsFastEnoughIsServed(t *testing.T) {
	addr := impatient(t, echo())
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	for _, piece := range []string{"POST / HT", "TP/1.1\r\nHost: x\r\nContent-Le", "ngth: 9\r\n\r\n{\"a\"", ":12", "3}"} {
		if _, err := io.WriteString(conn, piece); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || resp.StatusCode != http.StatusNoContent {
		t.Errorf("got %v %v, want 204", resp, err)
	}
	if err == nil {
		_ = resp.Body.Close()
	}
}
