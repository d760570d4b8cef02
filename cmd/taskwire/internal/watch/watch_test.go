package watch

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/taskwire/taskwire/pkg/events/live"
	"github.com/taskwire/taskwire/testkit/porttest"
)

const (
	patience   = 30 * time.Second // for an event that must come
	quickPause = time.Millisecond // between two attempts to connect
)

// server sends the given frames on each connection in turn, after its auth frame, and then ends the connection.
type server struct {
	t   *testing.T
	url string

	mu          sync.Mutex
	connections []connection
	auths       []live.Auth
}

// connection is what the server does on one connection.
type connection struct {
	frames []live.ServerFrame
	close  *live.Closing // nil: the connection is cut
}

func newServer(t *testing.T, connections ...connection) *server {
	t.Helper()
	s := &server{t: t, connections: connections}
	srv := httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(srv.Close)
	s.url = srv.URL
	return s
}

func (s *server) serve(w http.ResponseWriter, r *http.Request) {
	conn, err := (&websocket.Upgrader{Subprotocols: []string{live.Subprotocol}}).Upgrade(w, r, nil)
	if err != nil {
		s.t.Errorf("upgrade: %v", err)
		return
	}
	defer conn.Close()
	_, raw, err := conn.ReadMessage()
	if err != nil {
		s.t.Errorf("read the auth frame: %v", err)
		return
	}
	frame, err := live.DecodeClient(raw)
	auth, ok := frame.(live.Auth)
	if !ok {
		s.t.Errorf("first frame: got %s (%v), want auth", raw, err)
		return
	}
	var now connection
	s.mu.Lock()
	s.auths = append(s.auths, auth)
	if len(s.connections) > 0 {
		now, s.connections = s.connections[0], s.connections[1:]
	}
	s.mu.Unlock()
	if now.close != nil {
		now.frames = append(now.frames, now.close.ErrorFrame())
	}
	for _, f := range now.frames {
		raw, err := f.Encode()
		if err != nil {
			s.t.Errorf("encode %+v: %v", f, err)
		}
		if conn.WriteMessage(websocket.TextMessage, raw) != nil {
			return // the client has ended
		}
	}
	if now.close != nil {
		_ = conn.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(int(now.close.Code), now.close.Reason()))
	}
}

// places returns the notifications_since of each auth frame; -1 stands for none.
func (s *server) places() (all []int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.auths {
		if a.NotificationsSince == nil {
			all = append(all, -1)
			continue
		}
		all = append(all, *a.NotificationsSince)
	}
	return all
}

// sinces returns the since of each auth frame; -1 stands for none.
func (s *server) sinces() (all []int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.auths {
		if a.Since == nil {
			all = append(all, -1)
			continue
		}
		all = append(all, *a.Since)
	}
	return all
}

// watch runs the client with short pauses.
func watch(t *testing.T, cfg Config) (out string, err error) {
	t.Helper()
	var b bytes.Buffer
	cfg.Out = &b
	if cfg.Token == "" {
		cfg.Token = "t"
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err = run(ctx, cfg, quickPause, quickPause)
	return b.String(), err
}

func wantSinces(t *testing.T, s *server, want ...int64) {
	t.Helper()
	got := s.sinces()
	if len(got) != len(want) {
		t.Fatalf("since of the auth frames: got %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("since of the auth frames: got %v, want %v", got, want)
		}
	}
}

func TestACutConnectionResumesFromTheLastSeq(t *testing.T) {
	t.Parallel()
	s := newServer(t,
		connection{frames: []live.ServerFrame{live.Welcome{}, live.Event{Seq: 1}, live.Event{Seq: 2}}},
		connection{frames: []live.ServerFrame{live.Welcome{Seq: 2}, live.Event{Seq: 3}}},
	)
	out, err := watch(t, Config{URL: s.url, Since: 0, Count: 3})
	if err != nil {
		t.Fatalf("Run: %v", err)
	}
	wantSinces(t, s, 0, 2)
	if n := strings.Count(out, `"type":"event"`); n != 3 {
		t.Errorf("printed %d events, want 3:\n%s", n, out)
	}
}

func TestAClientWithoutSinceResumesFromItsFirstHead(t *testing.T) {
	t.Parallel()
	s := newServer(t, connection{frames: []live.ServerFrame{live.Welcome{Seq: 41}}}, connection{frames: []live.ServerFrame{live.Event{Seq: 42}}})
	if _, err := watch(t, Config{URL: s.url, Since: -1, Count: 1}); err != nil {
		t.Fatalf("Run: %v", err)
	}
	wantSinces(t, s, -1, 41)
}

func TestAResyncMovesTheSinceOfTheNextConnection(t *testing.T) {
	t.Parallel()
	s := newServer(t,
		connection{frames: []live.ServerFrame{live.Welcome{}, live.Resync{Stream: live.StreamTasks, Reason: live.ReasonGap, Seq: 2000}}},
		connection{frames: []live.ServerFrame{live.Welcome{Seq: 2000}, live.Event{Seq: 2001}}},
	)
	if _, err := watch(t, Config{URL: s.url, Since: 0, Count: 1}); err != nil {
		t.Fatalf("Run: %v", err)
	}
	wantSinces(t, s, 0, 2000)
}

func TestNotificationsAreResumedFromTheLastNumber(t *testing.T) {
	t.Parallel()
	head := int64(7)
	s := newServer(t,
		connection{frames: []live.ServerFrame{live.Welcome{}}}, // the notification service was away
		connection{frames: []live.ServerFrame{live.Welcome{NotificationSeq: &head}}},
		connection{frames: []live.ServerFrame{live.Welcome{NotificationSeq: &head}, live.Notification{NotificationSeq: 8}, live.Notification{}}},
		connection{frames: []live.ServerFrame{live.Resync{Stream: live.StreamNotifications, Reason: live.ReasonGap, Seq: 20}}},
		connection{frames: []live.ServerFrame{live.Resync{Stream: "of the future", Seq: 90}, live.Notification{NotificationSeq: 21}}},
	)
	if _, err := watch(t, Config{URL: s.url, Since: 0, NotificationsSince: -1, Count: 3}); err != nil {
		t.Fatalf("Run: %v", err)
	}
	if got, want := s.places(), []int64{-1, -1, 7, 8, 20}; !slices.Equal(got, want) {
		t.Errorf("notifications_since of the auth frames: got %v, want %v", got, want)
	}
}

// The real server's refusal of a token is tested in e2e.
func TestEachCodeEndsOrReconnectsAsTheProtocolSays(t *testing.T) {
	t.Parallel()
	for code, meaning := range live.Codes {
		t.Run(meaning.Name, func(t *testing.T) {
			t.Parallel()
			closing := code.Closing()
			closing.Retry = min(closing.Retry, time.Millisecond) // never stays never
			s := newServer(t, connection{close: &closing}, connection{frames: []live.ServerFrame{live.Welcome{}, live.Event{Seq: 1}}})
			_, err := watch(t, Config{URL: s.url, Since: 0, Count: 1})
			if meaning.Action == live.Reconnect {
				if err != nil || len(s.sinces()) != 2 {
					t.Errorf("got %v after %d connections, want the event on the second", err, len(s.sinces()))
				}
				return
			}
			if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), meaning.Message) || len(s.sinces()) != 1 {
				t.Errorf("got %v after %d connections, want ErrRefused with %q after one", err, len(s.sinces()), meaning.Message)
			}
		})
	}
}

// A reset can overtake the error frame; then the close code decides.
func TestACloseCodeWithoutAnErrorFrameIsEnough(t *testing.T) {
	t.Parallel()
	for code, final := range map[live.Code]bool{live.Unauthenticated: true, live.FrameTooLarge: true, live.Restarting: false, 4999: false} {
		err := ended(&websocket.CloseError{Code: int(code)}, nil)
		if errors.Is(err, ErrRefused) != final {
			t.Errorf("close code %d: got %v, want ErrRefused: %v", code, err, final)
		}
	}
}

func TestTheServersRetryIsWaitedFor(t *testing.T) {
	t.Parallel()
	const retry = 100 * time.Millisecond
	closing := live.Restarting.Closing()
	closing.Retry = retry
	s := newServer(t, connection{close: &closing}, connection{frames: []live.ServerFrame{live.Event{Seq: 1}}})
	began := time.Now()
	if _, err := watch(t, Config{URL: s.url, Since: 0, Count: 1}); err != nil || time.Since(began) < retry {
		t.Errorf("got %v after %s, want success after %s or more", err, time.Since(began), retry)
	}
}

func TestABadAddressIsNamed(t *testing.T) {
	t.Parallel()
	err := Run(t.Context(), Config{URL: "localhost:8080", Out: &bytes.Buffer{}})
	if err == nil || !strings.Contains(err.Error(), "localhost:8080") {
		t.Errorf("got %v, want an error that names the address", err)
	}
}

func TestAnUnreachableOrForeignServerIsRetried(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(other.Close)
	for want, url := range map[string]string{
		"connection refused": "http://127.0.0.1:" + strconv.Itoa(porttest.Closed(t)),
		"404 Not Found":      other.URL,
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			var warned []string
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			cfg := Config{URL: url, Token: "t", Count: 1, Out: &bytes.Buffer{}, Warn: func(reason error) {
				warned = append(warned, reason.Error())
				time.AfterFunc(50*quickPause, cancel) // proves that no second warning follows
			}}
			err := run(ctx, cfg, quickPause, quickPause)
			if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), want) {
				t.Errorf("Run at %s = %v, want that it was canceled, and %q", url, err, want)
			}
			if len(warned) != 1 || !strings.Contains(warned[0], want) {
				t.Errorf("warned of %q, want one line with %q", warned, want)
			}
		})
	}
}
