package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/taskwire/taskwire/pkg/events"
)

// received sends a frame over a real connection and returns the text that arrives.
func received(t *testing.T, f *Frame) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
		if err != nil {
			t.Errorf("upgrade: %v", err)
			return
		}
		defer c.Close()
		if err := c.WritePreparedMessage(f.Prepared); err != nil {
			t.Errorf("write: %v", err)
		}
	}))
	defer server.Close()
	c, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(server.URL, "http"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, data, err := c.ReadMessage()
	if err != nil {
		t.Fatal(err)
	}
	if len(data) != f.Size {
		t.Errorf("Size: got %d, want %d", f.Size, len(data))
	}
	return string(data)
}

func TestFramesAsTheProtocolSays(t *testing.T) {
	at := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	task := events.TaskData{ID: "t", UserID: "u", Title: "a <b>", Status: events.StatusPending, Priority: events.PriorityMedium, Tags: []string{}, Timezone: "UTC", Version: 2, Seq: 7}
	update := events.TaskUpdateEvent{EventID: "e", EventType: events.Updated, TaskID: "t", UserID: "u", TaskData: task, TaskVersion: 2, Seq: 7, Timestamp: at}
	deleted := update
	deleted.EventType = events.Deleted
	frame := func(f *Frame, err error) *Frame {
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	for _, c := range []struct {
		name  string
		frame *Frame
		want  string
	}{
		{"welcome", frame(Welcome(7, "c", 25*time.Second)), `{"type":"welcome","seq":7,"connection_id":"c","heartbeat_ms":25000}`},
		{"event", frame(Event(update)), `{"type":"event","seq":7,"event_id":"e","event_type":"updated","task_id":"t","task_version":2,"task":{"id":"t","user_id":"u","title":"a <b>","description":"","status":"pending","priority":"medium","tags":[],"timezone":"UTC","position":0,"version":2,"seq":7}}`},
		{"deleted", frame(Event(deleted)), `{"type":"event","seq":7,"event_id":"e","event_type":"deleted","task_id":"t","task_version":2,"task":null}`},
		{"notification", frame(Notification(events.NotificationEvent{EventID: "e", SchemaVersion: 2, NotificationID: "n", TaskID: "t", UserID: "u", Kind: "reminder", Title: "x", Timestamp: at})),
			`{"type":"notification","event_id":"e","schema_version":2,"notification_id":"n","task_id":"t","user_id":"u","kind":"reminder","title":"x","body":"","late":false,"timestamp":"2026-11-24T08:00:00Z"}`},
		{"resync", Resync(ReasonGap, 9), `{"type":"resync","reason":"gap_too_large","seq":9}`},
		{"error", Error("slow", "m", 1500*time.Millisecond), `{"type":"error","code":"slow","message":"m","retry":1500}`},
		{"error for good", Error("bad_frame", "m", -1), `{"type":"error","code":"bad_frame","message":"m","retry":null}`},
		{"pong", Pong(), `{"type":"pong"}`},
	} {
		if got := received(t, c.frame); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestEveryCodeSaysWhatTheClientDoes(t *testing.T) {
	names := map[string]bool{}
	for code, m := range Codes {
		if m.Name == "" || m.Message == "" || m.Advice == "" || names[m.Name] {
			t.Errorf("code %d: %+v is not complete, or its name is not its own", code, m)
		}
		names[m.Name] = true
		payload := Close(code).Payload()
		if len(payload) > 125 {
			t.Errorf("code %d: close frame of %d bytes, RFC 6455 allows 125", code, len(payload))
		}
		var reason struct {
			Code  string
			Retry *int64
		}
		if err := json.Unmarshal(payload[2:], &reason); err != nil || reason.Code != m.Name || (reason.Retry == nil) != (m.Retry < 0) {
			t.Errorf("code %d: close reason %s (%v)", code, payload[2:], err)
		}
		if got := int(payload[0])<<8 | int(payload[1]); got != int(code) {
			t.Errorf("code %d: close frame says %d", code, got)
		}
	}
	if got := received(t, Close(BadFrame).With("No.").Frame()); !strings.Contains(got, "No.") {
		t.Errorf("note is missing: %s", got)
	}
}

func TestParseClient(t *testing.T) {
	seven := int64(7)
	for _, c := range []struct {
		in   string
		want ClientFrame
		bad  bool
	}{
		{in: `{"type":"ping"}`, want: ClientFrame{Type: "ping"}},
		{in: `{"type":"auth","token":"x"}`, want: ClientFrame{Type: "auth", Token: "x"}},
		{in: `{"type":"auth","token":"x","since":7}`, want: ClientFrame{Type: "auth", Token: "x", Since: &seven}},
		{in: `{"type":"auth","token":"x","since":null}`, want: ClientFrame{Type: "auth", Token: "x"}},
		{in: ``, bad: true},
		{in: `[]`, bad: true},
		{in: `null`, bad: true},
		{in: `{}`, bad: true},
		{in: `{"type":"auth"}`, bad: true},
		{in: `{"type":"auth","token":"x","since":-1}`, bad: true},
		{in: `{"type":"auth","token":"x","since":1.5}`, bad: true},
		{in: `{"type":"auth","token":"x","since":"7"}`, bad: true},
		{in: `{"type":"auth","token":"x","sinc":7}`, bad: true},
		{in: `{"type":"subscribe"}`, bad: true},
		{in: `{"type":"ping"}{"type":"ping"}`, bad: true},
	} {
		got, err := ParseClient([]byte(c.in))
		var refused *FrameError
		if c.bad != errors.As(err, &refused) {
			t.Errorf("ParseClient(%s): got %+v (%v), want refused: %v", c.in, got, err, c.bad)
			continue
		}
		g, _ := json.Marshal(got)
		w, _ := json.Marshal(c.want)
		if !c.bad && !bytes.Equal(g, w) {
			t.Errorf("ParseClient(%s): got %s, want %s", c.in, g, w)
		}
	}
}

func FuzzParseClient(f *testing.F) {
	f.Add([]byte(`{"type":"auth","token":"x","since":7}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if frame, err := ParseClient(data); err == nil && frame.Type != TypeAuth && frame.Type != TypePing {
			t.Errorf("accepted %q as %+v", data, frame)
		}
	})
}
