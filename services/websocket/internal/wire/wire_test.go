package wire

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/events/live"
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

func sampleUpdate() events.TaskUpdateEvent {
	at := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	return events.TaskUpdateEvent{
		EventID: "e", EventType: events.Updated, TaskID: "t", UserID: "u", TaskVersion: 2, Seq: 7, Timestamp: at,
		TaskData: events.TaskData{
			ID: "t", UserID: "u", Title: "a <b>", Status: events.StatusPending, Priority: events.PriorityMedium, Tags: []string{},
			Timezone: "UTC", Version: 2, Seq: 7,
		},
	}
}

// The documents of pkg/events/live are the definition; this test repeats them as a browser sees them.
func TestFramesOnTheWire(t *testing.T) {
	t.Parallel()
	update := sampleUpdate()
	deleted := update
	deleted.EventType = events.Deleted
	frame := func(f *Frame, err error) *Frame {
		t.Helper()
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
		{"welcome", Welcome(live.Welcome{Seq: 7, ConnectionID: "c", HeartbeatMS: 25_000}), `{"type":"welcome","seq":7,"notification_seq":null,"unread":null,"connection_id":"c","heartbeat_ms":25000}`},
		{"event", frame(Event(update)), `{"type":"event","seq":7,"event_id":"e","event_type":"updated","task_id":"t","task_version":2,"task":{"id":"t","user_id":"u","title":"a <b>","description":"","status":"pending","priority":"medium","tags":[],"timezone":"UTC","position":0,"version":2,"seq":7}}`},
		{"deleted", frame(Event(deleted)), `{"type":"event","seq":7,"event_id":"e","event_type":"deleted","task_id":"t","task_version":2,"task":null}`},
		{"notification", frame(Notification(events.NotificationEvent{EventID: "e", SchemaVersion: 2, EventType: events.Added, NotificationSeq: 4, Unread: 1, NotificationID: "n", TaskID: "t", UserID: "u", Kind: "reminder", Title: "x", Timestamp: update.Timestamp})),
			`{"type":"notification","event_id":"e","schema_version":2,"event_type":"added","notification_seq":4,"unread":1,"notification_id":"n","task_id":"t","user_id":"u","kind":"reminder","title":"x","body":"","late":false,"timestamp":"2026-11-24T08:00:00Z"}`},
		{"resync", Resync(live.Resync{Stream: live.StreamTasks, Reason: live.ReasonGap, Seq: 9}), `{"type":"resync","stream":"tasks","reason":"gap_too_large","seq":9}`},
		{"error", Error(live.Closing{Code: live.Slow, Retry: 1500 * time.Millisecond}), `{"type":"error","code":"slow","message":"The connection cannot keep up with its events.","retry":1500}`},
		{"error with a note", Error(live.BadFrame.Closing().With("No.")), `{"type":"error","code":"bad_frame","message":"The frame is not one of the protocol. No.","retry":null}`},
		{"pong", Pong(), `{"type":"pong"}`},
	} {
		if got := received(t, c.frame); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestClosePayloadBeginsWithTheCode(t *testing.T) {
	t.Parallel()
	for code := range live.Codes {
		payload := ClosePayload(code.Closing())
		if got := int(payload[0])<<8 | int(payload[1]); got != int(code) {
			t.Errorf("code %d: close frame says %d", code, got)
		}
		if got, want := string(payload[2:]), code.Closing().Reason(); got != want {
			t.Errorf("code %d: close reason %s, want %s", code, got, want)
		}
	}
}

// BenchmarkEvent is the cost of a live event before it is written to any connection.
func BenchmarkEvent(b *testing.B) {
	update := sampleUpdate()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Event(update); err != nil {
			b.Fatal(err)
		}
	}
}
