package httpapi_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/taskwire/taskwire/pkg/events/live"
)

// The bytes of masked frames whose mask is zero.
var (
	opening      = []byte{0x01, 0x81, 0, 0, 0, 0, '{'} // text without FIN
	continuation = []byte{0x00, 0x80, 0, 0, 0, 0}      // empty, without FIN
	pong         = []byte{0x8a, 0x80, 0, 0, 0, 0}
	ping         = []byte{0x89, 0x80, 0, 0, 0, 0}
	oneByte      = []byte{0x00, 0x81, 0, 0, 0, 0, ' '}
)

func TestEveryFrameCounts(t *testing.T) {
	t.Parallel()
	o := defaults()
	for name, flood := range map[string]struct{ first, then []byte }{
		"empty continuation frames":           {opening, continuation},
		"continuation frames of one byte":     {opening, oneByte},
		"pongs":                               {nil, pong},
		"pings":                               {nil, ping},
		"pings within a message":              {opening, ping},
		"pongs and empty continuation frames": {opening, append(bytes.Clone(pong), continuation...)},
	} {
		for _, authenticated := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, authenticated %v", name, authenticated), func(t *testing.T) {
				t.Parallel()
				r := newRig(t, o)
				c := r.dial()
				if authenticated {
					c.auth(token("ann", time.Hour), 0)
					want[live.Welcome](c)
				}
				raw := c.conn.NetConn()
				ended := make(chan struct{})
				go func() { // sends until the service cuts the connection
					defer close(ended)
					if _, err := raw.Write(flood.first); err != nil {
						return
					}
					for block := bytes.Repeat(flood.then, 4096); ; {
						if _, err := raw.Write(block); err != nil {
							return
						}
					}
				}()
				c.wantClose(live.TooManyFrames)
				<-ended
			})
		}
	}
}

func TestAMessageInPartsWithinTheLimitIsRead(t *testing.T) {
	t.Parallel()
	r := newRig(t, defaults())
	c := r.connect("ann", 0)
	want[live.Welcome](c)
	raw := c.conn.NetConn()
	text := `{"type":"ping"}`
	for i := range len(text) { // 15 parts: below the limit of a second
		head := byte(0x00)
		if i == 0 {
			head = 0x01
		}
		if i == len(text)-1 {
			head |= 0x80
		}
		if _, err := raw.Write([]byte{head, 0x81, 0, 0, 0, 0, text[i]}); err != nil {
			t.Fatal(err)
		}
	}
	want[live.Pong](c)
}

// from dials from one of the machine's own addresses.
func (r *rig) from(ip string) (*client, int) {
	r.t.Helper()
	d := websocket.Dialer{Subprotocols: []string{live.Subprotocol}, HandshakeTimeout: patience, NetDial: (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}).Dial}
	conn, resp, err := d.Dial("ws"+strings.TrimPrefix(r.server.URL, "http")+"/ws", nil)
	if err != nil {
		if resp == nil {
			r.t.Fatal(err)
		}
		if resp.Header.Get("Retry-After") == "" {
			r.t.Errorf("from %s: got %d without Retry-After", ip, resp.StatusCode)
		}
		return nil, resp.StatusCode
	}
	if got := resp.Header.Values("X-Content-Type-Options"); len(got) != 1 || got[0] != "nosniff" {
		r.t.Errorf("from %s: got X-Content-Type-Options %q, want one nosniff", ip, got)
	}
	r.t.Cleanup(func() { conn.Close() })
	return &client{t: r.t, conn: conn}, resp.StatusCode
}

func TestOneAddressCannotTakeEveryPlace(t *testing.T) {
	t.Parallel()
	o := defaults()
	o.settings.AuthWait = patience
	o.settings.MaxPendingPerAddress, o.settings.MaxPerAddress = 2, 3
	var log bytes.Buffer
	o.log = slog.New(slog.NewTextHandler(&log, nil))
	r := newRig(t, o)
	first, _ := r.from("127.0.0.2")
	second, _ := r.from("127.0.0.2")
	if _, status := r.from("127.0.0.2"); status != http.StatusTooManyRequests {
		t.Errorf("a third connection without a token: got %d, want 429", status)
	}
	if got := log.String(); !strings.Contains(got, "WebSockets are refused") || !strings.Contains(got, "address=127.0.0.2 status=429") {
		t.Errorf("got the log %q, want a line with the address", got)
	}
	if _, status := r.from("127.0.0.3"); status != http.StatusSwitchingProtocols {
		t.Errorf("another address: got %d, want 101", status)
	}
	for _, c := range []*client{first, second} {
		c.auth(token("ann", time.Hour), 0)
		want[live.Welcome](c)
	}
	third, status := r.from("127.0.0.2")
	if third == nil {
		t.Fatalf("a third connection after the first two sent their tokens: got %d, want 101", status)
	}
	third.auth(token("bob", time.Hour), 0)
	want[live.Welcome](third)
	if _, status := r.from("127.0.0.2"); status != http.StatusTooManyRequests {
		t.Errorf("a fourth connection: got %d, want 429", status)
	}
	third.conn.Close()
	eventually(t, "the place is free", func() error { return r.wantMetric("websocket_connections", 3) })
	if _, status := r.from("127.0.0.2"); status != http.StatusSwitchingProtocols {
		t.Errorf("after one has ended: got %d, want 101", status)
	}
}
