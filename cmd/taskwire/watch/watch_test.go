package watch

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/taskwire/taskwire/testkit/porttest"
)

// serve answers each connection in turn with the given frames, after its auth frame, and then cuts it off.
func serve(t *testing.T, connections ...[]string) (url string, auths func() []string) {
	t.Helper()
	var n atomic.Int32
	got := make(chan string, 16)
	upgrader := websocket.Upgrader{Subprotocols: []string{"taskwire.v1"}}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer conn.Close()
		_, auth, err := conn.ReadMessage()
		if err != nil {
			return
		}
		got <- string(auth)
		if i := int(n.Add(1)) - 1; i < len(connections) {
			for _, frame := range connections[i] {
				if err := conn.WriteMessage(websocket.TextMessage, []byte(frame)); err != nil {
					return
				}
			}
		}
	}))
	t.Cleanup(srv.Close)
	return srv.URL, func() []string {
		close(got)
		var all []string
		for a := range got {
			all = append(all, strings.TrimSpace(a))
		}
		return all
	}
}

func TestACutConnectionIsResumedFromTheLastSeq(t *testing.T) {
	url, auths := serve(t,
		[]string{`{"type":"welcome","seq":0}`, `{"type":"event","seq":1}`, `{"type":"event","seq":2}`},
		[]string{`{"type":"welcome","seq":3}`, `{"type":"event","seq":3}`},
	)
	var out bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := Run(ctx, Config{URL: url, Token: "t", Since: 0, Count: 3, Out: &out}); err != nil {
		t.Fatalf("Run: %v", err)
	}
	want := []string{`{"since":0,"token":"t","type":"auth"}`, `{"since":2,"token":"t","type":"auth"}`}
	if got := auths(); len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("auth frames: got %v, want %v", got, want)
	}
	if n := strings.Count(out.String(), `"type":"event"`); n != 3 {
		t.Errorf("printed %d events, want 3:\n%s", n, out.String())
	}
}

func TestAClientWithoutSinceGoesOnFromTheHeadOfItsFirstWelcome(t *testing.T) {
	url, auths := serve(t, []string{`{"type":"welcome","seq":41}`}, []string{`{"type":"event","seq":42}`})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := Run(ctx, Config{URL: url, Token: "t", Since: -1, Count: 1, Out: &bytes.Buffer{}}); err != nil {
		t.Fatalf("Run: %v", err)
	}
	if got := auths(); len(got) != 2 || got[0] != `{"token":"t","type":"auth"}` || got[1] != `{"since":41,"token":"t","type":"auth"}` {
		t.Errorf("auth frames: got %v", got)
	}
}

func TestARefusalEndsAtOnce(t *testing.T) {
	url, _ := serve(t, []string{`{"type":"error","code":4401,"message":"the token has expired","retry":false}`})
	err := Run(t.Context(), Config{URL: url, Token: "t", Out: &bytes.Buffer{}})
	if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "expired") {
		t.Errorf("got %v, want ErrRefused with the server's message", err)
	}
}

func TestABadAddressIsNamed(t *testing.T) {
	err := Run(t.Context(), Config{URL: "localhost:8080", Out: &bytes.Buffer{}})
	if err == nil || !strings.Contains(err.Error(), "localhost:8080") {
		t.Errorf("got %v, want an error that names the address", err)
	}
}

func TestAServerThatIsNotThereOrNotOursIsNamedAndTriedAgain(t *testing.T) {
	other := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(other.Close)
	for want, url := range map[string]string{
		"connection refused": "http://127.0.0.1:" + strconv.Itoa(porttest.Closed(t)),
		"404 Not Found":      other.URL,
	} {
		var warned []string
		ctx, cancel := context.WithTimeout(t.Context(), 3*reconnectDelay)
		err := Run(ctx, Config{URL: url, Token: "t", Count: 1, Out: &bytes.Buffer{}, Warn: func(why error) { warned = append(warned, why.Error()) }})
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), want) {
			t.Errorf("Run at %s = %v, want the time limit and %q", url, err, want)
		}
		if len(warned) != 1 || !strings.Contains(warned[0], want) {
			t.Errorf("warned of %q, want one line with %q", warned, want)
		}
	}
}
