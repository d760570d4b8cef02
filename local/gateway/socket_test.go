package gateway

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/taskwire/taskwire/pkg/events/live"
)

// talk is a WebSocket service that echoes, and closes as a service that restarts does when stop is closed.
func talk(stop <-chan struct{}) http.Handler {
	upgrader := websocket.Upgrader{Subprotocols: []string{live.Subprotocol}}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := upgrader.Upgrade(w, r, nil) // checks Origin against Host
		if err != nil {
			return
		}
		defer conn.Close()
		read := make(chan []byte)
		go func() {
			defer close(read)
			for {
				_, raw, err := conn.ReadMessage()
				if err != nil {
					return
				}
				read <- raw
			}
		}()
		for {
			select {
			case raw, ok := <-read:
				if !ok {
					return
				}
				_ = conn.WriteMessage(websocket.TextMessage, raw)
			case <-stop:
				_ = conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseServiceRestart, ""), time.Now().Add(time.Second))
				stop = nil
			}
		}
	})
}

func dial(t *testing.T, url string) *websocket.Conn {
	t.Helper()
	d := websocket.Dialer{Subprotocols: []string{live.Subprotocol}}
	conn, _, err := d.Dial("ws"+strings.TrimPrefix(url, "http")+"/ws", http.Header{"Origin": {url}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if conn.Subprotocol() != live.Subprotocol {
		t.Errorf("subprotocol: got %q", conn.Subprotocol())
	}
	if err := conn.WriteMessage(websocket.TextMessage, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, raw, err := conn.ReadMessage(); err != nil || string(raw) != "hello" {
		t.Fatalf("echo: got %q, %v", raw, err)
	}
	return conn
}

func TestAStoppingGatewayLetsTheServiceCloseItsWebSockets(t *testing.T) {
	stopService := make(chan struct{})
	url, stop := serve(t, Config{Upstreams: upstreams(t, func(string) http.Handler { return talk(stopService) })})
	conn := dial(t, url)
	ended := make(chan error, 1)
	go func() { ended <- stop() }()
	close(stopService)
	_, _, err := conn.ReadMessage()
	if !websocket.IsCloseError(err, websocket.CloseServiceRestart) {
		t.Errorf("the client saw %v, want the service's close frame", err)
	}
	conn.Close()
	if err := <-ended; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

func TestAStoppingGatewayCutsWebSocketsThatNobodyCloses(t *testing.T) {
	url, stop := serve(t, Config{Upstreams: upstreams(t, func(string) http.Handler { return talk(nil) })})
	conn := dial(t, url)
	if err := stop(); err != nil {
		t.Errorf("Serve: %v", err)
	}
	if _, _, err := conn.ReadMessage(); err == nil {
		t.Error("the connection is still open")
	}
}
