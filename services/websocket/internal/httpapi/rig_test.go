package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/websocket"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/taskwire/taskwire/pkg/events/live"
	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/services/websocket/internal/httpapi"
	"github.com/taskwire/taskwire/services/websocket/internal/hub"
	"github.com/taskwire/taskwire/services/websocket/internal/hubtest"
	"github.com/taskwire/taskwire/services/websocket/internal/socket"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds how long a test waits for an event that must come.
const patience = 20 * time.Second

// verifier accepts the tokens that token returns. Real tokens are tested in pkg/platform/auth.
type verifier struct {
	mu          sync.Mutex
	unavailable int           // how many more calls fail because there are no keys
	gate        chan struct{} // if not nil: calls hang until it is closed
}

func (v *verifier) Verify(_ context.Context, token string) (auth.Identity, error) {
	v.mu.Lock()
	if gate := v.gate; gate != nil {
		v.mu.Unlock()
		<-gate
		v.mu.Lock()
	}
	defer v.mu.Unlock()
	if v.unavailable > 0 {
		v.unavailable--
		return auth.Identity{}, fmt.Errorf("fetch keys: %w", auth.ErrUnavailable)
	}
	parts := strings.Split(token, ".")
	if len(parts) != 4 || parts[0] != "good" && parts[0] != "personal" {
		return auth.Identity{}, auth.ErrInvalid
	}
	expires, err := strconv.ParseInt(parts[1], 10, 64)
	if parts[0] == "personal" {
		return auth.Identity{UserID: parts[2], TokenID: parts[3], ExpiresAt: time.Unix(0, expires)}, err
	}
	return auth.Identity{UserID: parts[2], SessionID: parts[3], ExpiresAt: time.Unix(0, expires)}, err
}

// token returns a token of a new session that verifier accepts.
func token(userID string, life time.Duration) string { return tokenOf(userID, uuid.NewString(), life) }

// tokenOf returns a token of a session.
func tokenOf(userID, session string, life time.Duration) string {
	return fmt.Sprint("good.", time.Now().Add(life).UnixNano(), ".", userID, ".", session)
}

// personal returns a personal API token.
func personal(userID, id string, life time.Duration) string {
	return strings.Replace(tokenOf(userID, id, life), "good", "personal", 1)
}

// hang makes all calls hang until the returned function is called. Then the keys are available.
func (v *verifier) hang() (end func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	gate := make(chan struct{})
	v.gate = gate
	return func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.gate = nil
		close(gate)
	}
}

// rig is the public side of the service on real sockets, with both sources in memory.
type rig struct {
	t        testing.TB
	source   *hubtest.Tasks
	inbox    *hubtest.Notifications
	hub      *hub.Hub
	pool     *socket.Pool
	verifier *verifier
	sessions *auth.Revocations // those that have ended; verifier does not ask it, as if they ended right after it was called
	registry *prometheus.Registry
	server   *httptest.Server
}

type options struct {
	limits   hub.Limits
	settings socket.Settings
	origins  []string
	personal time.Duration // how long a personal API token keeps a connection
	log      *slog.Logger
}

func defaults() options {
	o := options{limits: hub.DefaultLimits(), settings: socket.DefaultSettings(), personal: auth.AccessTokenLife, log: slog.New(slog.DiscardHandler)}
	o.limits.Sweep = 50 * time.Millisecond
	o.limits.Grace = 10 * time.Millisecond
	o.settings.Tick = 10 * time.Millisecond
	o.settings.CloseWait = 500 * time.Millisecond
	return o
}

func newRig(t testing.TB, o options) *rig {
	t.Helper()
	r := &rig{t: t, source: hubtest.NewTasks(), inbox: hubtest.NewNotifications(), verifier: &verifier{}, registry: prometheus.NewRegistry()}
	quiet := slog.New(slog.DiscardHandler)
	r.hub = hub.New(hub.Config{Tasks: r.source, Notifications: r.inbox, Log: quiet, Metrics: hub.NewMetrics(r.registry), Limits: o.limits})
	r.pool = socket.NewPool(o.settings, r.registry)
	r.sessions = auth.NewRevocations(time.Now)
	r.sessions.Loaded()
	r.sessions.OnApply(func(e auth.Revocation) { r.hub.EndSession(e.UserID, e.ID) })
	origins, err := httpapi.NewOrigins(o.origins)
	if err != nil {
		t.Fatal(err)
	}
	engine := httpx.NewEngine(httpx.Config{Service: "websocket", Log: quiet, Registerer: r.registry})
	httpapi.Register(engine, httpapi.Config{
		Hub: r.hub, Pool: r.pool, Verifier: r.verifier, Sessions: r.sessions, Origins: origins, AuthWait: o.settings.AuthWait, WelcomeWait: o.settings.WelcomeWait,
		PersonalLife: o.personal, Log: o.log,
	})
	r.server = httptest.NewServer(engine)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = r.hub.Run(ctx) })
	running.Go(func() { _ = r.pool.Run(ctx) })
	t.Cleanup(func() {
		drain, stop := context.WithTimeout(context.Background(), patience)
		defer stop()
		r.pool.Drain(drain)
		cancel()
		running.Wait()
		r.hub.Close()
		r.server.Close()
	})
	return r
}

// client is a real WebSocket client.
type client struct {
	t    testing.TB
	conn *websocket.Conn
}

func (r *rig) tryDial(header http.Header, protocols ...string) (*websocket.Conn, *http.Response, error) {
	d := websocket.Dialer{Subprotocols: protocols, HandshakeTimeout: patience}
	return d.Dial("ws"+strings.TrimPrefix(r.server.URL, "http")+"/ws", header)
}

func (r *rig) dial() *client {
	r.t.Helper()
	conn, _, err := r.tryDial(nil, live.Subprotocol)
	if err != nil {
		r.t.Fatalf("dial: %v", err)
	}
	r.t.Cleanup(func() { conn.Close() })
	return &client{t: r.t, conn: conn}
}

// connect dials and authenticates. A negative since is left out.
func (r *rig) connect(userID string, since int64) *client {
	r.t.Helper()
	c := r.dial()
	c.auth(token(userID, time.Hour), since)
	return c
}

func (c *client) send(f live.ClientFrame) {
	c.t.Helper()
	raw, err := f.Encode()
	if err != nil {
		c.t.Fatal(err)
	}
	c.sendText(string(raw))
}

func (c *client) sendText(text string) {
	c.t.Helper()
	if err := c.conn.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		c.t.Fatalf("send %s: %v", text, err)
	}
}

func (c *client) auth(token string, since int64) {
	c.t.Helper()
	frame := live.Auth{Token: token}
	if since >= 0 {
		frame.Since = &since
	}
	c.send(frame)
}

// authFrom authenticates as ann with both places.
func (c *client) authFrom(since, notifications int64) {
	c.t.Helper()
	c.send(live.Auth{Token: token("ann", time.Hour), Since: &since, NotificationsSince: &notifications})
}

// next returns the next frame. Its error is how the connection ended.
func (c *client) next() (live.ServerFrame, error) {
	if err := c.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	_, data, err := c.conn.ReadMessage()
	if err != nil {
		return nil, err
	}
	return live.DecodeServer(data)
}

// want returns the next frame, which must have the given type.
func want[F live.ServerFrame](c *client) F {
	c.t.Helper()
	f, err := c.next()
	if err != nil {
		c.t.Fatalf("read a %T: %v", *new(F), err)
	}
	wanted, ok := f.(F)
	if !ok {
		c.t.Fatalf("got frame %T %+v, want a %T", f, f, wanted)
	}
	return wanted
}

// wantSeqs reads the events with the seqs from to to.
func (c *client) wantSeqs(from, to int64) {
	c.t.Helper()
	for seq := from; seq <= to; seq++ {
		if e := want[live.Event](c); e.Seq != seq {
			c.t.Fatalf("got seq %d, want %d", e.Seq, seq)
		}
	}
}

// wantClose reads until the connection ends, and checks the error frame and the close frame. Other frames may come before
// them.
func (c *client) wantClose(code live.Code) (reason live.CloseReason) {
	c.t.Helper()
	last := ""
	for {
		f, err := c.next()
		if err == nil {
			if e, ok := f.(live.Error); ok {
				last = e.Code
			}
			continue
		}
		closed, ok := errors.AsType[*websocket.CloseError](err)
		if !ok {
			c.t.Fatalf("the connection ended with %v, want a close frame", err)
		}
		if closed.Code != int(code) || last != code.String() {
			c.t.Fatalf("got error frame %q and close frame %v, want %d %s", last, closed, code, code)
		}
		if err := json.Unmarshal([]byte(closed.Text), &reason); err != nil || reason.Code != code.String() {
			c.t.Fatalf("close reason: got %q (%v), want code %s", closed.Text, err, code)
		}
		return reason
	}
}

func eventually(t testing.TB, what string, check func() error) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) { // a pause between polls
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v", what, err)
		}
	}
}
