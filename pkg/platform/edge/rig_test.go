package edge

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// quick holds short times, so that the tests are fast.
var quick = Patience{
	Header: 200 * time.Millisecond, Idle: 200 * time.Millisecond, Body: Pace{Stall: 300 * time.Millisecond, Rate: 1 << 20},
	Drain: 250 * time.Millisecond, Write: 400 * time.Millisecond,
}

// long is longer than any of the times of quick, on a busy machine too.
const long = 20 * time.Second

// start serves h on one or more addresses, which share limits, and returns the addresses.
func start(t *testing.T, cfg Config, limits Limits, hosts ...string) []string {
	t.Helper()
	var listeners []net.Listener
	var addrs []string
	for _, host := range hosts {
		l, err := net.Listen("tcp", host+":0")
		if err != nil {
			t.Fatal(err)
		}
		listeners, addrs = append(listeners, l), append(addrs, l.Addr().String())
	}
	srv := NewServer(cfg)
	ended := make(chan error, len(hosts))
	for _, l := range Limit(limits, listeners...) {
		go func() { ended <- srv.Serve(l) }()
	}
	t.Cleanup(func() {
		srv.Close()
		for range hosts {
			if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
				t.Errorf("serve: %v", err)
			}
		}
	})
	return addrs
}

// serve serves h with the times of quick and returns the address.
func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	return start(t, Config{Handler: h, Patience: quick}, Limits{PerAddress: 100, Total: 100}, "127.0.0.1")[0]
}

// dial opens a connection that ends with the test.
func dial(t *testing.T, from, to string) net.Conn {
	t.Helper()
	d := net.Dialer{}
	if from != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	conn, err := d.Dial("tcp", to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetReadDeadline(time.Now().Add(long))
	return conn
}

// trickle sends start and then drop, again and again, until the server closes the connection. It returns what the server
// said. It fails the test when the connection is still open after long.
func trickle(t *testing.T, addr, start, drop string) string {
	t.Helper()
	conn := dial(t, "", addr)
	if _, err := io.WriteString(conn, start); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() {
		for ctx.Err() == nil && drop != "" {
			if _, err := io.WriteString(conn, drop); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond) // a slow client is the subject of the test
		}
	}()
	said, err := io.ReadAll(conn)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		t.Errorf("%q: the connection is still open after %s; the server said %q", start, long, said)
	}
	return string(said)
}

// statuses returns the status lines in what a server said.
func statuses(said string) (all []string) {
	for line := range strings.SplitSeq(said, "\r\n") {
		if strings.HasPrefix(line, "HTTP/1.1 ") {
			all = append(all, strings.TrimPrefix(line, "HTTP/1.1 "))
		}
	}
	return all
}

// answerOf sends a GET on conn and returns the status.
func answerOf(conn net.Conn) (int, error) {
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		return 0, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}
