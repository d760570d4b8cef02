package gateway

import (
	"net/http"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/taskwire/taskwire/pkg/events/apps"
	"github.com/taskwire/taskwire/pkg/events/live"
)

// Browsers join two values into one, "nosniff, nosniff", and some take that for neither.
func TestEveryAnswerHasOneNoSniff(t *testing.T) {
	urls := upstreams(t, func(name string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set(noSniff, "nosniff")
			if name == apps.WebSocket {
				talk(nil).ServeHTTP(w, r)
			}
		})
	})
	url, _ := serve(t, Config{Upstreams: urls})
	urls[apps.Audit] = "http://127.0.0.1:1" // nothing listens on it
	broken, _ := serve(t, Config{Upstreams: urls})
	for _, target := range []string{url + "/", url + "/api/v1/tasks", url + "/ws", url + "/healthz", url + "/readyz", url + "/metrics", url + "//x", broken + "/api/v1/audit"} {
		resp, _ := get(t, target)
		if got := resp.Header.Values(noSniff); len(got) != 1 || got[0] != "nosniff" {
			t.Errorf("GET %s: got %d with %s %q, want one nosniff", target, resp.StatusCode, noSniff, got)
		}
	}
	d := websocket.Dialer{Subprotocols: []string{live.Subprotocol}}
	conn, resp, err := d.Dial("ws"+url[len("http"):]+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got := resp.Header.Values(noSniff); resp.StatusCode != http.StatusSwitchingProtocols || len(got) != 1 {
		t.Errorf("a WebSocket: got %d with %s %q, want 101 and one nosniff", resp.StatusCode, noSniff, got)
	}
}
