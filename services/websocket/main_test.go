package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/websocket"
	"go.uber.org/goleak"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/events/live"
	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/services/websocket/internal/hubtest"
	"github.com/taskwire/taskwire/testkit/authtest"
	"github.com/taskwire/taskwire/testkit/fakedaprd"
	"github.com/taskwire/taskwire/testkit/servicetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds how long a test waits for a frame.
const patience = time.Minute

// start runs the service. sidecarPort 0 is for no sidecar.
func start(t *testing.T, sidecarPort int) *servicetest.Service {
	t.Helper()
	base := servicetest.Base(t, appID, nil, sidecarPort)
	return servicetest.Start(t, settings{Base: base, MaxConnections: 100, MaxPerUser: 10}, run)
}

func TestTheServiceRunsWithoutItsSidecar(t *testing.T) {
	t.Parallel()
	s := start(t, 0)
	s.Await(s.Public+"/healthz", http.StatusOK)
	s.Await(s.App+"/healthz", http.StatusOK)
	s.Await(s.Public+"/readyz", http.StatusServiceUnavailable, "sidecar", "keys")
	s.Await(s.Public+"/metrics", http.StatusOK, "websocket_connections 0", `websocket_closes_total{code="slow"} 0`)
	for _, topic := range []string{events.TopicTaskUpdates, events.TopicNotifications} {
		for side, want := range map[string]int{s.Public: http.StatusNotFound, s.App: http.StatusUnauthorized} {
			r := servicetest.Request{Method: http.MethodPost, URL: side + "/events/" + topic, Body: `{}`}
			if got := s.Do(r); got.Status != want {
				t.Errorf("delivery of %s without the token at %s: got %d %s, want %d", topic, side, got.Status, got.Body, want)
			}
		}
	}
}

// newSidecar answers the task API's invocation routes, as the sidecar does. The whole-stack tests use the real one.
func newSidecar(t *testing.T, source *hubtest.Source, keys []byte) *fakedaprd.Sidecar {
	t.Helper()
	sidecar := fakedaprd.New(t)
	sidecar.HandleKeys(keys)
	sidecar.Handle(http.MethodGet, "task-api", "/internal/changes", func(w http.ResponseWriter, r *http.Request) {
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
	sidecar.Handle(http.MethodPost, "task-api", "/internal/heads", func(w http.ResponseWriter, r *http.Request) {
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
	return sidecar
}

// TestFromDeliveryToBrowser runs the whole service: a real token, a replay, a live event, a lost event that a sweep finds,
// a notification, and the shutdown.
func TestFromDeliveryToBrowser(t *testing.T) {
	t.Parallel()
	signer, source, user := authtest.NewSigner(t), hubtest.New(), uuid.NewString()
	s := start(t, newSidecar(t, source, signer.JWKS()).Port)
	s.Await(s.Public+"/readyz", http.StatusOK)
	source.AddN(user, 3)

	conn, _, err := (&websocket.Dialer{Subprotocols: []string{live.Subprotocol}}).Dial("ws"+strings.TrimPrefix(s.Public, "http")+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	since := int64(1)
	first, err := live.Auth{Token: authtest.Token(t, signer, user, auth.RoleUser), Since: &since}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.WriteMessage(websocket.TextMessage, first); err != nil {
		t.Fatal(err)
	}
	want := func(wanted string, check func(live.ServerFrame) bool) {
		t.Helper()
		if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		_, raw, err := conn.ReadMessage()
		if err != nil {
			t.Fatalf("got %v, want %s", err, wanted)
		}
		if f, err := live.DecodeServer(raw); err != nil || !check(f) {
			t.Fatalf("got %s (%v), want %s", raw, err, wanted)
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
		if got := s.Do(s.Delivery(events.TopicTaskUpdates, fourth)); got.Status != 200 || !strings.Contains(got.Body, "SUCCESS") {
			t.Fatalf("delivery: got %d %s", got.Status, got.Body)
		}
	}
	wantEvent(4)
	source.Add(user) // never delivered
	wantEvent(5)
	note := fmt.Sprintf(`{"event_id":%q,"schema_version":2,"notification_id":%q,"task_id":%q,"user_id":%q,"kind":"reminder","title":"x","body":"","late":false,"timestamp":"2026-11-24T08:00:00Z"}`,
		uuid.NewString(), uuid.NewString(), uuid.NewString(), user)
	if got := s.Do(s.Delivery(events.TopicNotifications, note)); got.Status != 200 || !strings.Contains(got.Body, "SUCCESS") {
		t.Fatalf("delivery: got %d %s", got.Status, got.Body)
	}
	want("the notification", func(f live.ServerFrame) bool { _, ok := f.(live.Notification); return ok })

	go s.Stop()
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
