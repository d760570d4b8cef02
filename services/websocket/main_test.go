package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
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

// newSidecar answers the invocation routes of the task API and of the notification service, as the sidecar does. The
// whole-stack tests use the real one.
func newSidecar(t *testing.T, tasks *hubtest.Tasks, inbox *hubtest.Notifications, keys []byte) *fakedaprd.Sidecar {
	t.Helper()
	sidecar := fakedaprd.New(t)
	sidecar.HandleKeys(keys)
	sidecar.Handle(http.MethodGet, "task-api", "/internal/changes", page(t, tasks))
	sidecar.Handle(http.MethodPost, "task-api", "/internal/heads", heads(t, tasks))
	sidecar.Handle(http.MethodGet, "notification", "/internal/notifications", page(t, inbox))
	sidecar.Handle(http.MethodPost, "notification", "/internal/notification-heads", heads(t, inbox))
	return sidecar
}

func page[E any](t *testing.T, source *hubtest.Source[E]) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		since, err := strconv.ParseInt(r.FormValue("since"), 10, 64)
		if err != nil {
			t.Error(err)
		}
		limit, err := strconv.Atoi(r.FormValue("limit"))
		if err != nil {
			t.Error(err)
		}
		items, head, unread, err := source.Page(r.Context(), r.FormValue("user_id"), since, limit)
		if err != nil {
			t.Error(err)
		}
		json.NewEncoder(w).Encode(map[string]any{"items": items, "head": head, "unread": unread})
	}
}

func heads[E any](t *testing.T, source *hubtest.Source[E]) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
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
	}
}

// TestFromDeliveryToBrowser runs the whole service: a real token, a replay, a live event, a lost event that a sweep finds, the
// same for notifications, and the shutdown.
func TestFromDeliveryToBrowser(t *testing.T) {
	t.Parallel()
	signer, source, inbox, user := authtest.NewSigner(t), hubtest.NewTasks(), hubtest.NewNotifications(), uuid.NewString()
	s := start(t, newSidecar(t, source, inbox, signer.JWKS()).Port)
	s.Await(s.Public+"/readyz", http.StatusOK)
	source.AddN(user, 3)
	inbox.AddN(user, 2)

	conn, _, err := (&websocket.Dialer{Subprotocols: []string{live.Subprotocol}}).Dial("ws"+strings.TrimPrefix(s.Public, "http")+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	since := int64(1)
	first, err := live.Auth{Token: authtest.Token(t, signer, user, auth.RoleUser), Since: &since, NotificationsSince: &since}.Encode()
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
	wantNotification := func(seq int64) {
		t.Helper()
		want(fmt.Sprint("notification ", seq), func(f live.ServerFrame) bool {
			n, ok := f.(live.Notification)
			return ok && n.NotificationSeq == seq
		})
	}
	want("welcome 1, 1 with 2 unread", func(f live.ServerFrame) bool {
		w, ok := f.(live.Welcome)
		return ok && w.Seq == 1 && w.NotificationSeq != nil && *w.NotificationSeq == 1 && w.Unread != nil && *w.Unread == 2
	})
	// There is no order between the streams.
	replayed := map[string]bool{}
	for range 3 {
		want("events 2 and 3, and notification 2", func(f live.ServerFrame) bool {
			switch f := f.(type) {
			case live.Event:
				replayed[fmt.Sprint("event ", f.Seq)] = true
			case live.Notification:
				replayed[fmt.Sprint("notification ", f.NotificationSeq)] = true
			}
			return true
		})
	}
	if !replayed["event 2"] || !replayed["event 3"] || !replayed["notification 2"] {
		t.Fatalf("replayed: got %v, want events 2 and 3, and notification 2", replayed)
	}
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
	raw, err := notification(user, 3).Encode()
	if err != nil {
		t.Fatal(err)
	}
	inbox.Add(user) // delivered twice
	for range 2 {
		if got := s.Do(s.Delivery(events.TopicNotifications, string(raw))); got.Status != 200 || !strings.Contains(got.Body, "SUCCESS") {
			t.Fatalf("delivery: got %d %s", got.Status, got.Body)
		}
	}
	wantNotification(3)
	inbox.Add(user) // never delivered
	wantNotification(4)

	go s.Stop()
	want("restarting", func(f live.ServerFrame) bool {
		e, ok := f.(live.Error)
		return ok && e.Code == live.Restarting.String()
	})
	if _, _, err := conn.ReadMessage(); !websocket.IsCloseError(err, int(live.Restarting)) {
		t.Errorf("the end: got %v, want close code 1012", err)
	}
}

func notification(user string, seq int64) events.NotificationEvent {
	return events.NotificationEvent{
		EventID: uuid.Must(uuid.NewV7()).String(), SchemaVersion: events.SchemaVersion, EventType: events.Added, NotificationSeq: seq, Unread: seq,
		NotificationID: uuid.NewString(), TaskID: uuid.NewString(), UserID: user, Kind: "reminder", Title: "x", Timestamp: time.Now().UTC(),
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
