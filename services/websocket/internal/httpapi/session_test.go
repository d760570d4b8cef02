package httpapi_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/events/live"
)

func TestWelcomeReplayAndLive(t *testing.T) {
	t.Parallel()
	r := newRig(t, defaults())
	r.source.AddN("ann", 250) // more than one page
	c := r.connect("ann", 17)
	if w := want[live.Welcome](c); w.Seq != 17 || w.ConnectionID == "" || w.HeartbeatMS != 25_000 {
		t.Errorf("welcome: got %+v", w)
	}
	c.wantSeqs(18, 250)
	if err := r.hub.Update(r.source.Add("ann")); err != nil {
		t.Fatal(err)
	}
	c.wantSeqs(251, 251)
	note := r.inbox.Add("ann")
	if err := r.hub.Notify(note); err != nil {
		t.Fatal(err)
	}
	if n := want[live.Notification](c); n.NotificationID != note.NotificationID || n.NotificationSeq != 1 || n.Unread != 1 {
		t.Errorf("notification: got %+v", n)
	}
	deleted := r.source.Add("ann")
	deleted.EventType = events.Deleted
	if err := r.hub.Update(deleted); err != nil {
		t.Fatal(err)
	}
	if e := want[live.Event](c); e.Task != nil {
		t.Errorf("task of a deletion: got %+v, want null", e.Task)
	}
	head := r.connect("ann", -1)
	if w := want[live.Welcome](head); w.Seq != 252 || w.NotificationSeq == nil || *w.NotificationSeq != 1 || w.Unread == nil || *w.Unread != 1 {
		t.Errorf("welcome without since: got %+v, want the heads, 252 and 1, and one unread", w)
	}
}

func TestWhichRequestsMayOpenAConnection(t *testing.T) {
	t.Parallel()
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
		{"no page", nil, []string{live.Subprotocol}, 101},
		{"same host", http.Header{"Origin": {"http://" + host}}, []string{live.Subprotocol}, 101},
		{"allowed page", http.Header{"Origin": {"https://app.example.com"}}, []string{"other", live.Subprotocol}, 101},
		{"the gateway's host", http.Header{"Origin": {"https://taskwire.example"}, "X-Forwarded-Host": {"taskwire.example"}}, []string{live.Subprotocol}, 101},
		{"another page", http.Header{"Origin": {"https://evil.example"}}, []string{live.Subprotocol}, 403},
		{"allowed host by another scheme", http.Header{"Origin": {"http://app.example.com"}}, []string{live.Subprotocol}, 403},
		{"a longer host", http.Header{"Origin": {"https://app.example.com.evil.example"}}, []string{live.Subprotocol}, 403},
		{"opaque origin", http.Header{"Origin": {"null"}}, []string{live.Subprotocol}, 403},
		{"no subprotocol", nil, nil, 400},
		{"another subprotocol", nil, []string{"taskwire.v2"}, 400},
	} {
		conn, resp, err := r.tryDial(c.header, c.protocols...)
		if conn != nil {
			if got := conn.Subprotocol(); got != live.Subprotocol {
				t.Errorf("%s: subprotocol %q, want %q", c.name, got, live.Subprotocol)
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
	t.Parallel()
	o := defaults()
	o.settings.FramesPerSecond = 5
	o.limits.PerUser = 1
	for _, c := range []struct {
		name string
		send func(c *client)
		want live.Code
	}{
		{"silence", func(*client) {}, live.AuthTimeout},
		{"a bad token", func(c *client) { c.auth("bad", 0) }, live.Unauthenticated},
		{"ping before auth", func(c *client) { c.send(live.Ping{}) }, live.Unauthenticated},
		{"no JSON", func(c *client) { c.sendText("hello") }, live.BadFrame},
		{"a binary frame", func(c *client) { c.conn.WriteMessage(websocket.BinaryMessage, []byte("{}")) }, live.BadFrame},
		{"two tokens", func(c *client) { c.sendText(`{"type":"auth","token":"x","token":"` + token("ann", time.Hour) + `"}`) }, live.BadFrame},
		{"two places", func(c *client) {
			c.sendText(`{"type":"auth","token":"` + token("ann", time.Hour) + `","since":0,"since":9}`)
		}, live.BadFrame},
		{"two tokens in a later frame", func(c *client) {
			c.auth(token("ann", time.Hour), 0)
			c.sendText(`{"type":"auth","token":"` + token("ann", time.Hour) + `","token":"` + token("ann", time.Hour) + `"}`)
		}, live.BadFrame},
		{"a name in another case", func(c *client) { c.sendText(`{"type":"auth","token":"` + token("ann", time.Hour) + `","Since":1}`) }, live.BadFrame},
		{"a misspelt field", func(c *client) { c.sendText(`{"type":"auth","token":"` + token("ann", time.Hour) + `","sinc":1}`) }, live.BadFrame},
		{"another user's token later", func(c *client) {
			c.auth(token("ann", time.Hour), 0)
			c.auth(token("bob", time.Hour), 0)
		}, live.Unauthenticated},
		{"bad tokens later", func(c *client) {
			c.auth(token("ann", time.Hour), 0)
			for range 3 {
				c.auth("bad", 0)
			}
		}, live.Unauthenticated},
		{"a flood of frames", func(c *client) {
			c.auth(token("ann", time.Hour), 0)
			for range 50 {
				if c.conn.WriteMessage(websocket.TextMessage, []byte(`{"type":"ping"}`)) != nil {
					return
				}
			}
		}, live.TooManyFrames},
		{"a flood of pings", func(c *client) {
			c.auth(token("ann", time.Hour), 0)
			for range 50 {
				if c.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Second)) != nil {
					return
				}
			}
		}, live.TooManyFrames},
		{"an expired token", func(c *client) { c.auth(token("ann", 0), 0) }, live.TokenExpired},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := o
			if c.want == live.AuthTimeout {
				o.settings.AuthWait = 100 * time.Millisecond
			}
			r := newRig(t, o)
			client := r.dial()
			c.send(client)
			client.wantClose(c.want)
		})
	}
	t.Run("one connection too many", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, o)
		want[live.Welcome](r.connect("ann", 0))
		r.connect("ann", 0).wantClose(live.TooManyConnections)
		want[live.Welcome](r.connect("bob", 0))
	})
	t.Run("a frame that is too long", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, o)
		c := r.dial()
		c.auth(strings.Repeat("x", int(o.settings.ReadLimit)), 0)
		if _, err := c.next(); !websocket.IsCloseError(err, int(live.FrameTooLarge)) {
			t.Errorf("got %v, want close code 1009", err)
		}
	})
}

func TestANewAuthFrameExtendsTheConnection(t *testing.T) {
	t.Parallel()
	r := newRig(t, defaults())
	c := r.dial()
	const firstLife = time.Second // enough for the second frame to arrive in time on a busy machine
	past := time.Now().Add(firstLife * 3 / 2)
	c.auth(token("ann", firstLife), 0)
	c.auth(token("ann", time.Hour), 0)
	first := want[live.Welcome](c)
	for n := int64(1); time.Now().Before(past); n++ {
		if err := r.hub.Update(r.source.Add("ann")); err != nil {
			t.Fatal(err)
		}
		c.wantSeqs(first.Seq+n, first.Seq+n)
		time.Sleep(10 * time.Millisecond) // the pace of the loop: it proves that nothing closes the connection, so it ends by the clock
	}
}

func TestAnOpenConnectionSurvivesABadToken(t *testing.T) {
	t.Parallel()
	r := newRig(t, defaults())
	c := r.connect("ann", 0)
	want[live.Welcome](c)
	c.auth("bad", 0)
	if m := want[live.Error](c); m.Code != "unauthenticated" || m.Retry != nil {
		t.Errorf("error: got %+v, want unauthenticated without retry", m)
	}
	c.send(live.Ping{})
	want[live.Pong](c)
}

func TestAuthenticationWaitsForLateKeys(t *testing.T) {
	t.Parallel()
	r := newRig(t, defaults())
	r.verifier.unavailable = 2
	want[live.Welcome](r.connect("ann", 0))
}

func TestAPeerThatDoesNotAnswerPingsIsClosed(t *testing.T) {
	t.Parallel()
	o := defaults()
	o.settings.Heartbeat = 50 * time.Millisecond
	o.settings.WriteWait = 100 * time.Millisecond
	r := newRig(t, o)
	alive, dead := r.connect("ann", 0), r.connect("ann", 0)
	want[live.Welcome](alive)
	want[live.Welcome](dead)
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

func TestTheNumberOfConnectionsIsBounded(t *testing.T) {
	t.Parallel()
	o := defaults()
	o.settings.MaxConns, o.settings.MaxPending = 3, 2
	r := newRig(t, o)
	refused := func(what string) {
		t.Helper()
		conn, resp, err := r.tryDial(nil, live.Subprotocol)
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
	want[live.Welcome](first)
	second.auth(token("ann", time.Hour), 0)
	want[live.Welcome](second)
	third := r.connect("bob", 0)
	want[live.Welcome](third)
	refused("a fourth connection")
	third.conn.Close()
	eventually(t, "the place is free", func() error { return r.wantMetric("websocket_connections", 2) })
	want[live.Welcome](r.connect("bob", 0))
}

func TestShutdownSpreadsTheClientsReturn(t *testing.T) {
	t.Parallel()
	r := newRig(t, defaults())
	delays := map[int64]bool{}
	var clients []*client
	for range 12 {
		c := r.connect("ann", 0)
		want[live.Welcome](c)
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
		reason := c.wantClose(live.Restarting)
		if reason.Retry == nil || *reason.Retry < 0 || *reason.Retry > 5000 {
			t.Errorf("close reason: got %+v, want a retry of 0 to 5000", reason)
			continue
		}
		delays[*reason.Retry] = true
	}
	<-done
	if len(delays) < 2 {
		t.Errorf("retry delays of 12 clients: got %v, want them spread", delays)
	}
	if conn, resp, err := r.tryDial(nil, live.Subprotocol); err == nil {
		conn.Close()
		t.Error("a client was admitted during the shutdown")
	} else if resp == nil || resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a client during the shutdown: got %v, want 503", resp)
	}
}

func TestShutdownDoesNotWaitForASilentClient(t *testing.T) {
	t.Parallel()
	o := defaults()
	o.settings.WriteWait = 100 * time.Millisecond
	o.settings.CloseWait = 100 * time.Millisecond
	r := newRig(t, o)
	c := r.connect("ann", 0)
	want[live.Welcome](c) // from here on it does not read, so it never answers the close frame
	r.pool.Drain(context.Background())
	if err := r.wantMetric("websocket_connections", 0); err != nil {
		t.Error(err)
	}
}
