package edge

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/taskwire/taskwire/pkg/platform/address"
)

// idle opens n connections that send nothing, and waits until the server holds them.
func idle(t *testing.T, n int, from, to string) []net.Conn {
	t.Helper()
	var all []net.Conn
	for range n {
		conn := dial(t, from, to)
		if status, err := answerOf(conn); status != http.StatusNoContent {
			t.Fatalf("connection %d from %s: got %d %v, want an answer", len(all)+1, from, status, err)
		}
		all = append(all, conn)
	}
	return all
}

// wantStatus asks on a new connection for as long as it is accepted, because places are freed a moment after their
// connection was closed.
func wantStatus(t *testing.T, want int, from, to string) {
	t.Helper()
	var status int
	var err error
	for end := time.Now().Add(long); time.Now().Before(end); {
		conn := dial(t, from, to)
		if status, err = answerOf(conn); status == want {
			return
		}
		conn.Close()
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("from %s: got %d %v, want %d", from, status, err, want)
}

var noContent = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })

// patient holds idle connections for as long as a test takes.
var patient = Patience{Header: long, Idle: long, Body: Pace{Stall: long, Rate: 1}, Drain: long, Write: long}

func TestOneAddressHoldsABoundedNumberOfConnections(t *testing.T) {
	addrs := start(t, Config{Handler: noContent, Patience: patient}, Limits{PerAddress: 3, Total: 100}, "127.0.0.1", "127.0.0.1")
	mine := idle(t, 2, "127.0.0.2", addrs[0])
	idle(t, 1, "127.0.0.2", addrs[1]) // listeners share the count
	conn := dial(t, "127.0.0.2", addrs[0])
	_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("a fourth connection: %v, want an answer", err)
	}
	body, err := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") == "" || !resp.Close || len(resp.Header.Values("X-Content-Type-Options")) != 1 {
		t.Errorf("a fourth connection: got %d %v %s %v, want 429 with Retry-After, and the end", resp.StatusCode, resp.Header, body, err)
	}
	idle(t, 3, "127.0.0.3", addrs[0]) // another address is not harmed
	mine[0].Close()
	wantStatus(t, http.StatusNoContent, "127.0.0.2", addrs[0])
}

func TestAllAddressesTogetherHoldABoundedNumber(t *testing.T) {
	addr := start(t, Config{Handler: noContent, Patience: patient}, Limits{PerAddress: 2, Total: 3}, "127.0.0.1")[0]
	mine := idle(t, 2, "127.0.0.2", addr)
	idle(t, 1, "127.0.0.3", addr)
	wantStatus(t, http.StatusServiceUnavailable, "127.0.0.4", addr)
	mine[0].Close()
	wantStatus(t, http.StatusNoContent, "127.0.0.4", addr)
}

func TestATrustedProxyIsNotCountedAsAnAddress(t *testing.T) {
	proxies, err := address.ParseProxies([]string{"127.0.0.2"})
	if err != nil {
		t.Fatal(err)
	}
	addr := start(t, Config{Handler: noContent, Patience: patient}, Limits{PerAddress: 1, Total: 5, Exempt: proxies}, "127.0.0.1")[0]
	idle(t, 4, "127.0.0.2", addr)
	idle(t, 1, "127.0.0.3", addr)
	wantStatus(t, http.StatusServiceUnavailable, "127.0.0.2", addr) // Total bounds the proxy as well
}

func TestAnUpgradedConnectionCountsInTheTotalOnly(t *testing.T) {
	taken := make(chan net.Conn, 9)
	addr := start(t, Config{Patience: quick, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Errorf("Hijack: %v", err)
			return
		}
		_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\n\r\n")
		_ = rw.Flush()
		taken <- conn
	})}, Limits{PerAddress: 1, Total: 2}, "127.0.0.1")[0]
	for range 2 {
		wantStatus(t, http.StatusSwitchingProtocols, "127.0.0.2", addr)
	}
	wantStatus(t, http.StatusServiceUnavailable, "127.0.0.3", addr)
	first := <-taken
	time.Sleep(2 * quick.Write) // the times of HTTP are over for it
	if _, err := first.Write([]byte("x")); err != nil {
		t.Errorf("a write to an upgraded connection: %v", err)
	}
	first.Close()
	wantStatus(t, http.StatusSwitchingProtocols, "127.0.0.3", addr)
	for len(taken) > 0 {
		(<-taken).Close()
	}
}

func TestMoreRefusalsThanAreAnsweredEndAtOnce(t *testing.T) {
	addr := start(t, Config{Handler: noContent, Patience: patient}, Limits{PerAddress: 1, Total: 9}, "127.0.0.1")[0]
	idle(t, 1, "127.0.0.2", addr)
	for range 3 * refusing { // each waits for a request that does not come
		dial(t, "127.0.0.2", addr)
	}
	idle(t, 1, "127.0.0.3", addr)
	conn := dial(t, "127.0.0.2", addr)
	if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, net.ErrClosed) {
		t.Errorf("one more silent connection: got %v, want its end", err)
	}
}

func TestCountForgetsKeysThatHoldNothing(t *testing.T) {
	c := NewCount(2)
	for i, want := range []bool{true, true, false} {
		if got := c.Take("a"); got != want {
			t.Errorf("take %d: got %v, want %v", i+1, got, want)
		}
	}
	if !c.Take("b") {
		t.Error("another key: got refused")
	}
	c.Give("a")
	if !c.Take("a") {
		t.Error("after Give: got refused")
	}
	c.Give("a")
	c.Give("a")
	c.Give("b")
	if len(c.held) != 0 {
		t.Errorf("got %v, want nothing remembered", c.held)
	}
}
