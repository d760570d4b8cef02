package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/websocket"
	"go.uber.org/goleak"

	"github.com/taskwire/taskwire/local/ports"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/events/live"
	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/pkg/platform/config"
	"github.com/taskwire/taskwire/services/websocket/internal/hubtest"
	"github.com/taskwire/taskwire/testkit/logtest"
	"github.com/taskwire/taskwire/testkit/porttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	appToken = "token of the sidecar"
	patience = time.Minute
)

type running struct {
	t           *testing.T
	public, app string
	log         *logtest.Buffer
	stop        func()
}

func port(addr string) string { return addr[strings.LastIndex(addr, ":")+1:] }

// start runs the service with its sidecar's HTTP side at sidecar, and checks at the end that it stops cleanly.
func start(t *testing.T, sidecar string) *running {
	t.Helper()
	s := &running{t: t, public: porttest.Addr(t), app: porttest.Addr(t), log: &logtest.Buffer{}}
	for name, value := range map[string]string{
		"HTTP_ADDR": s.public, "APP_ADDR": s.app, "APP_API_TOKEN": appToken, "SHUTDOWN_TIMEOUT": "10s",
		"DAPR_HTTP_PORT": port(sidecar), "DAPR_GRPC_PORT": strconv.Itoa(porttest.Closed(t)), // nothing listens on the gRPC side
	} {
		t.Setenv(name, value)
	}
	cfg, err := config.Load[settings]()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, cfg, s.log) }()
	s.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("run: %v\n%s", err, s.log)
			}
		case <-time.After(patience):
			t.Errorf("run does not end:\n%s", s.log)
		}
	})
	t.Cleanup(func() {
		s.stop()
		http.DefaultClient.CloseIdleConnections()
	})
	return s
}

func (s *running) call(method, url string, body []byte, token string) (int, string, error) {
	req, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Content-Type", "application/cloudevents+json")
	if token != "" {
		req.Header.Set("dapr-api-token", token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(raw), err
}

// wants polls until a GET is answered with the status and a body that contains all of parts.
func (s *running) wants(url string, status int, parts ...string) {
	s.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) { // a pause between polls
		got, body, err := s.call(http.MethodGet, url, nil, "")
		ok := err == nil && got == status
		for _, part := range parts {
			ok = ok && strings.Contains(body, part)
		}
		if ok {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("GET %s: got %d %s (%v), want %d with %q\n%s", url, got, body, err, status, parts, s.log)
		}
	}
}

func (s *running) deliver(topic, data string) (int, string) {
	s.t.Helper()
	var id struct {
		EventID string `json:"event_id"`
	}
	if err := json.Unmarshal([]byte(data), &id); err != nil {
		s.t.Fatal(err)
	}
	body := fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":"x","type":"x","data":%s}`, id.EventID, data)
	status, answer, err := s.call(http.MethodPost, "http://"+s.app+"/events/"+topic, []byte(body), appToken)
	if err != nil {
		s.t.Fatal(err)
	}
	return status, answer
}

func TestTheServiceRunsWithoutItsSidecar(t *testing.T) {
	s := start(t, ports.Loopback(porttest.Closed(t)))
	s.wants("http://"+s.public+"/healthz", http.StatusOK)
	s.wants("http://"+s.app+"/healthz", http.StatusOK)
	s.wants("http://"+s.public+"/readyz", http.StatusServiceUnavailable, "sidecar", "keys")
	s.wants("http://"+s.public+"/metrics", http.StatusOK, "websocket_connections 0", `websocket_closes_total{code="slow"} 0`)
	for _, topic := range []string{events.TopicTaskUpdates, events.TopicNotifications} {
		for side, want := range map[string]int{s.public: http.StatusNotFound, s.app: http.StatusUnauthorized} {
			if status, body, err := s.call(http.MethodPost, "http://"+side+"/events/"+topic, []byte(`{}`), ""); err != nil || status != want {
				t.Errorf("delivery of %s without the token at %s: got %d %s (%v), want %d", topic, side, status, body, err, want)
			}
		}
	}
}

// standIn answers the task API's invocation routes, as the sidecar does. The whole-stack tests use the real one.
func standIn(t *testing.T, source *hubtest.Source, keys []byte) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	const method = "/v1.0/invoke/task-api/method/internal/"
	mux.HandleFunc("GET /v1.0/healthz/outbound", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("GET "+method+"jwks", func(w http.ResponseWriter, _ *http.Request) { w.Write(keys) })
	mux.HandleFunc("GET "+method+"changes", func(w http.ResponseWriter, r *http.Request) {
		var since int64
		var limit int
		fmt.Sscan(r.FormValue("since"), &since)
		fmt.Sscan(r.FormValue("limit"), &limit)
		got, err := source.Changes(r.Context(), r.FormValue("user_id"), since, limit)
		if err != nil {
			t.Error(err)
		}
		json.NewEncoder(w).Encode(map[string]any{"items": got.Items, "head": got.Head})
	})
	mux.HandleFunc("POST "+method+"heads", func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			UserIDs []string `json:"user_ids"`
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		heads, err := source.Heads(r.Context(), body.UserIDs)
		if err != nil {
			t.Error(err)
		}
		json.NewEncoder(w).Encode(map[string]any{"heads": heads})
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

func newSigner(t *testing.T) *auth.Signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := auth.NewSigner(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// TestFromDeliveryToBrowser runs the whole service: a real token, a replay, a live event, a lost event that a sweep finds,
// a notification, and the shutdown.
func TestFromDeliveryToBrowser(t *testing.T) {
	signer, source, user := newSigner(t), hubtest.New(), uuid.NewString()
	s := start(t, strings.TrimPrefix(standIn(t, source, signer.JWKS()).URL, "http://"))
	s.wants("http://"+s.public+"/readyz", http.StatusOK)
	source.AddN(user, 3)

	conn, _, err := (&websocket.Dialer{Subprotocols: []string{live.Subprotocol}}).Dial("ws://"+s.public+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	token, _, err := signer.Sign(user, "user", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	since := int64(1)
	auth, err := live.Auth{Token: token, Since: &since}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.WriteMessage(websocket.TextMessage, auth); err != nil {
		t.Fatal(err)
	}
	want := func(wanted string, check func(live.ServerFrame) bool) {
		t.Helper()
		if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		_, raw, err := conn.ReadMessage()
		if err != nil {
			t.Fatalf("got %v, want %s\n%s", err, wanted, s.log)
		}
		if f, err := live.DecodeServer(raw); err != nil || !check(f) {
			t.Fatalf("got %s (%v), want %s\n%s", raw, err, wanted, s.log)
		}
	}
	wantEvent := func(seq int64) {
		t.Helper()
		want(fmt.Sprint("event ", seq), func(f live.ServerFrame) bool {
			e, ok := f.(live.Event)
			return ok && e.Seq == seq
		})
	}
	want("welcome 1", func(f live.ServerFrame) bool { w, ok := f.(live.Welcome); return ok && w.Seq == 1 })
	wantEvent(2)
	wantEvent(3)
	source.Add(user) // delivered twice
	fourth := update(t, user, 4)
	for range 2 {
		if status, answer := s.deliver(events.TopicTaskUpdates, fourth); status != 200 || !strings.Contains(answer, "SUCCESS") {
			t.Fatalf("delivery: got %d %s", status, answer)
		}
	}
	wantEvent(4)
	source.Add(user) // never delivered
	wantEvent(5)
	note := fmt.Sprintf(`{"event_id":%q,"schema_version":2,"notification_id":%q,"task_id":%q,"user_id":%q,"kind":"reminder","title":"x","body":"","late":false,"timestamp":"2026-11-24T08:00:00Z"}`,
		uuid.NewString(), uuid.NewString(), uuid.NewString(), user)
	if status, answer := s.deliver(events.TopicNotifications, note); status != 200 || !strings.Contains(answer, "SUCCESS") {
		t.Fatalf("delivery: got %d %s", status, answer)
	}
	want("the notification", func(f live.ServerFrame) bool { _, ok := f.(live.Notification); return ok })

	go s.stop()
	want("restarting", func(f live.ServerFrame) bool {
		e, ok := f.(live.Error)
		return ok && e.Code == live.Restarting.String()
	})
	if _, _, err := conn.ReadMessage(); !websocket.IsCloseError(err, int(live.Restarting)) {
		t.Errorf("the end: got %v, want close code 1012", err)
	}
}

func update(t *testing.T, user string, seq int64) string {
	t.Helper()
	now, task := time.Now().UTC(), uuid.NewString()
	raw, err := events.TaskUpdateEvent{
		EventID: uuid.Must(uuid.NewV7()).String(), SchemaVersion: events.SchemaVersion, EventType: events.Created, TaskID: task, UserID: user,
		TaskVersion: 1, Seq: seq, Timestamp: now,
		TaskData: events.TaskData{
			ID: task, UserID: user, Title: "x", Status: events.StatusPending, Priority: events.PriorityMedium, Tags: []string{},
			Timezone: "UTC", Version: 1, Seq: seq, CreatedAt: now, UpdatedAt: now,
		},
	}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
