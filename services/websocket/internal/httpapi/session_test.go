package httpapi_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/services/websocket/internal/wire"
)

func TestWelcomeReplayAndLive(t *testing.T) {
	r := newRig(t, defaults())
	r.source.AddN("ann", 250) // more than one page
	c := r.connect("ann", 17)
	m := c.want("welcome")
	if m.Seq != 17 || m.ConnectionID == "" || m.HeartbeatMS != 25_000 {
		t.Errorf("welcome: got %+v", m)
	}
	c.wantSeqs(18, 250)
	if err := r.hub.Update(r.source.Add("ann")); err != nil {
		t.Fatal(err)
	}
	c.wantSeqs(251, 251)
	if err := r.hub.Notify(events.NotificationEvent{NotificationID: "n", UserID: "ann"}); err != nil {
		t.Fatal(err)
	}
	if m := c.want("notification"); m.NotificationID != "n" {
		t.Errorf("notification: got %+v", m)
	}
	deleted := r.source.Add("ann")
	deleted.EventType = events.Deleted
	if err := r.hub.Update(deleted); err != nil {
		t.Fatal(err)
	}
	if m := c.want("event"); string(m.Task) != "null" {
		t.Errorf("task of a deletion: got %s, want null", m.Task)
	}
	head := r.connect("ann", -1)
	if m := head.want("welcome"); m.Seq != 252 {
		t.Errorf("welcome without since: got seq %d, want the head, 252", m.Seq)
	}
}

func TestWhoMayOpenAConnection(t *testing.T) {
	o := defaults()
	o.origins = []string{"https://app.example.com"}
	r := newRig(t, o)
	host := strings.TrimPrefix(r.server.URL, "http://")
	for _, c := range []struct {
		name      string
		header    http.Header
		protocols []string
		want      int
	}{
		{"no page", nil, []string{wire.Subprotocol}, 101},
		{"same host", http.Header{"Origin": {"http://" + host}}, []string{wire.Subprotocol}, 101},
		{"allowed page", http.Header{"Origin": {"https://app.example.com"}}, []string{"other", wire.Subprotocol}, 101},
		{"the gateway's host", http.Header{"Origin": {"https://taskwire.example"}, "X-Forwarded-Host": {"taskwire.example"}}, []string{wire.Subprotocol}, 101},
		{"another page", http.Header{"Origin": {"https://evil.example"}}, []string{wire.Subprotocol}, 403},
		{"allowed host by another scheme", http.Header{"Origin": {"http://app.example.com"}}, []string{wire.Subprotocol}, 403},
		{"a longer host", http.Header{"Origin": {"https://app.example.com.evil.example"}}, []string{wire.Subprotocol}, 403},
		{"opaque origin", http.Header{"Origin": {"null"}}, []string{wire.Subprotocol}, 403},
		{"no subprotocol", nil, nil, 400},
		{"another subprotocol", nil, []string{"taskwire.v2"}, 400},
	} {
		conn, resp, err := r.tryDial(c.header, c.protocols...)
		if conn != nil {
			if got := conn.Subprotocol(); got != wire.Subprotocol {
				t.Errorf("%s: subprotocol %q, want %q", c.name, got, wire.Subprotocol)
			}
			conn.Close()
		}
		if resp == nil || resp.StatusCode != c.want {
			t.Errorf("%s: got %v (%v), want %d", c.name, resp, err, c.want)
		}
	}
	resp, err := http.Get(r.server.URL + "/ws")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := resp.Header.Get("Content-Type"); resp.StatusCode != http.StatusBadRequest || !strings.HasPrefix(got, "application/problem+json") {
		t.Errorf("plain GET: got %d %s, want 400 application/problem+json", resp.StatusCode, got)
	}
}

func TestHowAConnectionIsRefused(t *testing.T) {
	o := defaults()
	o.settings.AuthWait = 100 * time.Millisecond
	o.settings.Frames = 5
	o.limits.PerUser = 1
	for _, c := range []struct {
		name string
		send func(c *client)
		want wire.Code
	}{
		{"silence", func(*client) {}, wire.AuthTimeout},
		{"a bad token", func(c *client) { c.auth("bad", 0) }, wire.Unauthenticated},
		{"ping before auth", func(c *client) { c.send(map[string]string{"type": "ping"}) }, wire.Unauthenticated},
		{"no JSON", func(c *client) { c.conn.WriteMessage(websocket.TextMessage, []byte("hello")) }, wire.BadFrame},
		{"a binary frame", func(c *client) { c.conn.WriteMessage(websocket.BinaryMessage, []byte("{}")) }, wire.BadFrame},
		{"a misspelt field", func(c *client) { c.send(map[string]any{"type": "auth", "token": token("ann", time.Hour), "sinc": 1}) }, wire.BadFrame},
		{"another user's token later", func(c *client) {
			c.auth(token("ann", time.Hour), 0)
			c.auth(token("bob", time.Hour), 0)
		}, wire.Unauthenticated},
		{"bad tokens later", func(c *client) {
			c.auth(token("ann", time.Hour), 0)
			for range 3 {
				c.auth("bad", 0)
			}
		}, wire.Unauthenticated},
		{"a flood of frames", func(c *client) {
			c.auth(token("ann", time.Hour), 0)
			for range 50 {
				if c.conn.WriteJSON(map[string]string{"type": "ping"}) != nil {
					return
				}
			}
		}, wire.TooManyFrames},
		{"a flood of pings", func(c *client) {
			c.auth(token("ann", time.Hour), 0)
			for range 50 {
				if c.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Second)) != nil {
					return
				}
			}
		}, wire.TooManyFrames},
		{"an expired token", func(c *client) { c.auth(token("ann", 0), 0) }, wire.TokenExpired},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, o)
			client := r.dial()
			c.send(client)
			closed := client.wantClose(c.want)
			var reason struct{ Code string }
			if err := json.Unmarshal([]byte(closed.Text), &reason); err != nil || reason.Code != c.want.String() {
				t.Errorf("close reason: got %q (%v), want code %s", closed.Text, err, c.want)
			}
		})
	}
	t.Run("one connection too many", func(t *testing.T) {
		r := newRig(t, o)
		r.connect("ann", 0).want("welcome")
		r.connect("ann", 0).wantClose(wire.TooManyConnections)
		r.connect("bob", 0).want("welcome")
	})
	t.Run("a frame that is too long", func(t *testing.T) {
		r := newRig(t, o)
		c := r.dial()
		c.auth(strings.Repeat("x", int(o.settings.ReadLimit)), 0)
		if _, err := c.next(); !websocket.IsCloseError(err, websocket.CloseMessageTooBig) {
			t.Errorf("got %v, want close code 1009", err)
		}
	})
}

func TestANewAuthFrameExtendsTheConnection(t *testing.T) {
	r := newRig(t, defaults())
	c := r.dial()
	c.auth(token("ann", 300*time.Millisecond), 0)
	c.auth(token("ann", time.Hour), 0)
	first := c.want("welcome")
	past := time.Now().Add(600 * time.Millisecond)
	for n := int64(1); time.Now().Before(past); n++ {
		if err := r.hub.Update(r.source.Add("ann")); err != nil {
			t.Fatal(err)
		}
		c.wantSeqs(first.Seq+n, first.Seq+n)
		time.Sleep(10 * time.Millisecond) // a pace for the loop, which ends by the clock
	}
}

func TestABadTokenLaterIsSaidAndTheConnectionStays(t *testing.T) {
	r := newRig(t, defaults())
	c := r.connect("ann", 0)
	c.want("welcome")
	c.auth("bad", 0)
	if m := c.want("error"); m.Code != "unauthenticated" || m.Retry != nil {
		t.Errorf("error: got %+v, want unauthenticated without retry", m)
	}
	c.send(map[string]string{"type": "ping"})
	c.want("pong")
}

func TestKeysThatComeLateAreWaitedFor(t *testing.T) {
	r := newRig(t, defaults())
	r.verifier.unavailable = 2
	r.connect("ann", 0).want("welcome")
}

func TestThePeerIsPingedAndADeadOneIsForgotten(t *testing.T) {
	o := defaults()
	o.settings.Heartbeat = 50 * time.Millisecond
	o.settings.WriteWait = 100 * time.Millisecond
	r := newRig(t, o)
	alive, dead := r.connect("ann", 0), r.connect("ann", 0)
	alive.want("welcome")
	dead.want("welcome")
	dead.conn.SetPingHandler(func(string) error { return nil }) // it reads and does not answer
	ended := make(chan error, 1)
	go func() {
		_, err := dead.next()
		ended <- err
	}()
	go func() { // a client answers pings while it reads
		for {
			if _, _, err := alive.conn.ReadMessage(); err != nil {
				return
			}
		}
	}()
	if err := <-ended; err == nil {
		t.Error("the dead peer got a frame, want the end")
	}
	eventually(t, "one connection is left", func() error { return r.wantMetric("websocket_connections", 1) })
}

func TestPlacesAreBounded(t *testing.T) {
	o := defaults()
	o.settings.MaxConns, o.settings.MaxPending = 3, 2
	r := newRig(t, o)
	refused := func(what string) {
		t.Helper()
		conn, resp, err := r.tryDial(nil, wire.Subprotocol)
		if err == nil {
			conn.Close()
			t.Fatalf("%s: admitted", what)
		}
		if resp == nil || resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
			t.Errorf("%s: got %v, want 503 with Retry-After", what, resp)
		}
	}
	first, second := r.dial(), r.dial()
	refused("a third connection without a token")
	first.auth(token("ann", time.Hour), 0)
	first.want("welcome")
	second.auth(token("ann", time.Hour), 0)
	second.want("welcome")
	third := r.connect("bob", 0)
	third.want("welcome")
	refused("a fourth connection")
	third.conn.Close()
	eventually(t, "its place is free", func() error { return r.wantMetric("websocket_connections", 2) })
	r.connect("bob", 0).want("welcome")
}

func TestShutdownAsksEachClientToComeBackAtItsOwnTime(t *testing.T) {
	r := newRig(t, defaults())
	delays := map[int64]bool{}
	var clients []*client
	for range 12 {
		c := r.connect("ann", 0)
		c.want("welcome")
		clients = append(clients, c)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		r.pool.Drain(ctx)
	}()
	for _, c := range clients {
		closed := c.wantClose(wire.Restarting)
		var reason struct{ Retry *int64 }
		if err := json.Unmarshal([]byte(closed.Text), &reason); err != nil || reason.Retry == nil || *reason.Retry < 0 || *reason.Retry > 5000 {
			t.Errorf("close reason: got %q (%v), want a retry of 0 to 5000", closed.Text, err)
			continue
		}
		delays[*reason.Retry] = true
	}
	<-done
	if len(delays) < 2 {
		t.Errorf("retry delays of 12 clients: got %v, want them spread", delays)
	}
	if conn, resp, err := r.tryDial(nil, wire.Subprotocol); err == nil {
		conn.Close()
		t.Error("a client was admitted during the shutdown")
	} else if resp == nil || resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a client during the shutdown: got %v, want 503", resp)
	}
}

func TestShutdownDoesNotWaitForAClientThatDoesNotRead(t *testing.T) {
	o := defaults()
	o.settings.WriteWait = 100 * time.Millisecond
	o.settings.CloseWait = 100 * time.Millisecond
	r := newRig(t, o)
	c := r.connect("ann", 0)
	c.want("welcome") // and then it reads no more: it never answers the close frame
	r.pool.Drain(context.Background())
	if err := r.wantMetric("websocket_connections", 0); err != nil {
		t.Error(err)
	}
}
