package e2e

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/taskwire/taskwire/e2e/client"
	"github.com/taskwire/taskwire/local/routes"
	"github.com/taskwire/taskwire/pkg/events/apps"
	"github.com/taskwire/taskwire/pkg/events/live"
)

// This file tests what one address can take from the others, with the real limits.

const (
	// endWithin bounds the time until a client that is too slow is disconnected. The limits promise 15 s.
	endWithin = 30 * time.Second
	// These are some of the machine's own addresses. The tests run at the same time, so each stranger has one of its own.
	stranger, otherStranger, neighbour = "127.0.0.2", "127.0.0.4", "127.0.0.3"
)

// dialFrom returns a dialer with an address of its own.
func dialFrom(ip string) *net.Dialer {
	return &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}, Timeout: endWithin}
}

// clientFrom returns an HTTP client with an address of its own.
func clientFrom(t *testing.T, ip string) *http.Client {
	t.Helper()
	transport := &http.Transport{DialContext: dialFrom(ip).DialContext}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: endWithin}
}

// trickle sends head and then drop every second until the server closes the connection. It returns what the server said.
func trickle(t *testing.T, address, head, drop string, limit time.Duration) string {
	t.Helper()
	conn, err := dialFrom(neighbour).Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	must(t, conn.SetReadDeadline(time.Now().Add(limit)))
	if _, err := io.WriteString(conn, head); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		for drop != "" {
			select {
			case <-ended:
				return
			case <-time.After(time.Second): // the pace of the slow client
			}
			if _, err := io.WriteString(conn, drop); err != nil {
				return
			}
		}
	}()
	said, err := io.ReadAll(conn)
	var late net.Error
	if errors.As(err, &late) && late.Timeout() {
		t.Errorf("%.60q: still open after %s; the server said %q", head, limit, said)
	}
	return string(said)
}

func TestASlowBodyIsDisconnectedByEveryService(t *testing.T) {
	usesShared(t)
	u := client.NewUser(t, shared.URL())
	gateway := strings.TrimPrefix(shared.URL(), "http://")
	authorization := "Authorization: Bearer " + u.Token + "\r\n"
	var group sync.WaitGroup
	for request, want := range map[string]string{
		"POST /api/v1/auth/login HTTP/1.1\r\n":                    "408",
		"POST /api/v1/tasks HTTP/1.1\r\n" + authorization:         "408",
		"POST /api/v1/tasks HTTP/1.1\r\n":                         "401",
		"PUT /api/v1/preferences HTTP/1.1\r\n" + authorization:    "408",
		"PUT /api/v1/preferences HTTP/1.1\r\n":                    "401",
		"POST /api/v1/audit HTTP/1.1\r\n" + authorization:         "405",
		"POST /ws HTTP/1.1\r\n":                                   "405",
		"POST /healthz HTTP/1.1\r\n":                              "405",
		"POST /readyz HTTP/1.1\r\n":                               "405",
		"POST /no/such/route HTTP/1.1\r\n":                        "404",
		"POST /internal/heads HTTP/1.1\r\n":                       "404",
		"GET /api/v1/tasks HTTP/1.1\r\n" + authorization:          "200",
		"POST /api/v1/import?format=jsonl HTTP/1.1\r\n":           "401",
		"POST /api/v1/tasks HTTP/1.1\r\nExpect: 100-continue\r\n": "401",
	} {
		for _, body := range [][2]string{
			{"Content-Length: 10000\r\n\r\n{", " "},
			{"Content-Length: 10000\r\n\r\n", ""},
			{"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n", "1\r\n \r\n"},
		} {
			group.Go(func() {
				said := trickle(t, gateway, request+"Host: x\r\nContent-Type: application/json\r\n"+body[0], body[1], endWithin)
				said = strings.TrimPrefix(said, "HTTP/1.1 100 Continue\r\n\r\n")
				if !strings.HasPrefix(said, "HTTP/1.1 "+want+" ") {
					t.Errorf("%.50q with %q: got %.40q, want %s", request, body, said, want)
				}
			})
		}
	}
	for _, app := range apps.Public() { // the ports of the services themselves
		port, err := url.Parse(shared.MetricsURL(app))
		must(t, err)
		for request, want := range map[string]string{"POST /healthz HTTP/1.1\r\n": "405", "POST /no/such/route HTTP/1.1\r\n": "404"} {
			group.Go(func() {
				said := trickle(t, port.Host, request+"Host: x\r\nContent-Length: 10000\r\n\r\n{", " ", endWithin)
				if !strings.HasPrefix(said, "HTTP/1.1 "+want+" ") {
					t.Errorf("%s, %.30q: got %.40q, want %s", app, request, said, want)
				}
			})
		}
	}
	group.Wait()
}

func TestAnImportThatStallsIs408AndEnds(t *testing.T) {
	usesShared(t)
	u := client.NewUser(t, shared.URL())
	said := trickle(t, strings.TrimPrefix(shared.URL(), "http://"),
		"POST /api/v1/import?format=jsonl HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+u.Token+"\r\nTransfer-Encoding: chunked\r\n\r\n",
		"1\r\n \r\n", routes.ImportStall+endWithin)
	if !strings.HasPrefix(said, "HTTP/1.1 408 ") {
		t.Errorf("got %.60q, want 408", said)
	}
}

func TestTwoThousandConnectionsOfOneAddressHarmNoOther(t *testing.T) {
	usesShared(t)
	const connections = 2000
	address := strings.TrimPrefix(shared.URL(), "http://")
	var open, refused atomic.Int64
	var group sync.WaitGroup
	dialed := make(chan struct{}, connections)
	for i := range connections {
		group.Go(func() {
			conn, err := dialFrom(stranger).Dial("tcp", address)
			dialed <- struct{}{}
			if err != nil {
				refused.Add(1)
				return
			}
			defer conn.Close()
			_ = conn.SetReadDeadline(time.Now().Add(endWithin)) // a failure shows below as an open connection
			if i%2 == 0 {                                       // the others are idle
				_, _ = io.WriteString(conn, "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 10000\r\n\r\n{")
			}
			said, err := io.ReadAll(conn)
			var late net.Error
			switch {
			case errors.As(err, &late) && late.Timeout():
				open.Add(1)
			case len(said) == 0 || bytes.HasPrefix(said, []byte("HTTP/1.1 429 ")):
				refused.Add(1)
			}
		})
	}
	for range connections {
		<-dialed
	}
	for range 10 {
		resp, err := clientFrom(t, neighbour).Get(shared.URL() + "/api/v1/openapi.json")
		if err != nil {
			t.Fatalf("from another address: %v", err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("from another address: got %d, want 200", resp.StatusCode)
		}
	}
	group.Wait()
	if open.Load() > 0 {
		t.Errorf("%d connections are open after %s, want none", open.Load(), endWithin)
	}
	if served := connections - refused.Load(); served > routes.MaxPerAddress {
		t.Errorf("%d requests were served, want %d at most", served, routes.MaxPerAddress)
	}
}

// handshake opens a WebSocket from an address. It returns nil and the status when that is refused.
func handshake(t *testing.T, ip string) (*websocket.Conn, int) {
	t.Helper()
	dialer := websocket.Dialer{Subprotocols: []string{live.Subprotocol}, HandshakeTimeout: endWithin, NetDial: dialFrom(ip).Dial}
	conn, resp, err := dialer.Dial("ws"+strings.TrimPrefix(shared.URL(), "http")+"/ws", nil)
	switch {
	case err == nil:
		return conn, resp.StatusCode
	case resp != nil:
		resp.Body.Close()
		return nil, resp.StatusCode
	}
	return nil, 0 // the gateway closed the connection: there are too many of the address
}

func TestHandshakesOfOneAddressLeavePlacesToOthers(t *testing.T) {
	usesShared(t)
	const attempts = 1050
	u := client.NewUser(t, shared.URL())
	var admitted atomic.Int64
	var group sync.WaitGroup
	begun, release := make(chan struct{}, attempts), make(chan struct{})
	for range attempts {
		group.Go(func() {
			conn, _ := handshake(t, otherStranger)
			begun <- struct{}{}
			if conn == nil {
				return
			}
			admitted.Add(1)
			<-release
			conn.Close()
		})
	}
	for range attempts {
		<-begun
	}
	conn, status := handshake(t, neighbour)
	if conn == nil {
		close(release)
		t.Fatalf("from another address: got %d, want 101", status)
	}
	defer conn.Close()
	auth, err := live.Auth{Token: u.Token}.Encode()
	must(t, errors.Join(err, conn.SetReadDeadline(time.Now().Add(endWithin)), conn.WriteMessage(websocket.TextMessage, auth)))
	if _, raw, err := conn.ReadMessage(); err != nil || !bytes.Contains(raw, []byte("welcome")) {
		t.Errorf("from another address: got %s %v, want welcome", raw, err)
	}
	close(release)
	group.Wait()
	if got := admitted.Load(); got == 0 || got == attempts {
		t.Errorf("from one address: got %d of %d handshakes, want some", got, attempts)
	}
}

func TestEmptyFramesEndAConnection(t *testing.T) {
	usesShared(t)
	u := client.NewUser(t, shared.URL())
	conn, status := handshake(t, neighbour)
	if conn == nil {
		t.Fatalf("got %d, want 101", status)
	}
	defer conn.Close()
	auth, err := live.Auth{Token: u.Token}.Encode()
	must(t, errors.Join(err, conn.SetReadDeadline(time.Now().Add(endWithin)), conn.WriteMessage(websocket.TextMessage, auth)))
	if _, _, err := conn.ReadMessage(); err != nil {
		t.Fatalf("welcome: %v", err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, err := conn.NetConn().Write([]byte{0x01, 0x81, 0, 0, 0, 0, '{'}) // text without FIN
		for block := bytes.Repeat([]byte{0x00, 0x80, 0, 0, 0, 0}, 4096); err == nil; {
			_, err = conn.NetConn().Write(block) // empty continuation frames
		}
	}()
	for {
		_, _, err = conn.ReadMessage()
		if err != nil {
			break
		}
	}
	if !websocket.IsCloseError(err, int(live.TooManyFrames)) {
		t.Errorf("got %v, want the close code %d", err, live.TooManyFrames)
	}
	<-ended
}

func TestEveryAnswerHasOneNoSniff(t *testing.T) {
	usesShared(t)
	u := client.NewUser(t, shared.URL())
	address := strings.TrimPrefix(shared.URL(), "http://")
	for _, target := range []string{
		"/", "/docs", "/assets/none.js", "/favicon.ico", "/.well-known/jwks.json", "/api/v1/openapi.json", "/api/v1/tasks", "/api/v1/tasks?%",
		"/api/v1/tasks/none", "/api/v1/audit", "/api/v1/notifications", "/api/v1/preferences", "/ws", "/healthz", "/readyz", "/metrics", "//x",
		"/api/v1/export?format=csv", "/none",
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "OPTIONS"} {
			conn, err := net.Dial("tcp", address)
			must(t, err)
			_, err = fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", method, target, address, u.Token)
			must(t, err)
			resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
			if err != nil {
				t.Fatalf("%s %s: %v", method, target, err)
			}
			if got := resp.Header.Values("X-Content-Type-Options"); len(got) != 1 || got[0] != "nosniff" {
				t.Errorf("%s %s: got %d with X-Content-Type-Options %q, want one nosniff", method, target, resp.StatusCode, got)
			}
			if got := resp.Header.Values("Strict-Transport-Security"); len(got) != 0 {
				t.Errorf("%s %s: got Strict-Transport-Security %q on plain HTTP, want none", method, target, got)
			}
			resp.Body.Close()
			conn.Close()
		}
	}
}
