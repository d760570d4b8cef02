package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/gorilla/websocket"

	"github.com/taskwire/taskwire/pkg/events"
)

// Frame is one message of the service, encoded and framed once for all the connections that it goes to.
type Frame struct {
	Prepared *websocket.PreparedMessage
	Size     int       // bytes of JSON
	Made     time.Time // when a live event was made; zero for what is replayed or answers the client
}

// The reasons of a resync.
const (
	ReasonGap     = "gap_too_large"   // more events are missing than the service replays
	ReasonPruned  = "events_pruned"   // since is older than what the service keeps
	ReasonAhead   = "since_too_high"  // since is above the user's newest change
	ReasonRewound = "history_rewound" // the user's newest change is below what was sent: a restored database
	ReasonMissing = "events_missing"  // events are missing where they should be
)

// Reasons are all of them.
var Reasons = []string{ReasonGap, ReasonPruned, ReasonAhead, ReasonRewound, ReasonMissing}

// Welcome is the first frame: the connection's events begin after seq.
func Welcome(seq int64, connectionID string, heartbeat time.Duration) (*Frame, error) {
	return encode(struct {
		Type         string `json:"type"`
		Seq          int64  `json:"seq"`
		ConnectionID string `json:"connection_id"`
		HeartbeatMS  int64  `json:"heartbeat_ms"`
	}{"welcome", seq, connectionID, heartbeat.Milliseconds()})
}

// Event is one change of a task.
func Event(ev events.TaskUpdateEvent) (*Frame, error) {
	frame := struct {
		Type        string           `json:"type"`
		Seq         int64            `json:"seq"`
		EventID     string           `json:"event_id"`
		EventType   events.Type      `json:"event_type"`
		TaskID      string           `json:"task_id"`
		TaskVersion int64            `json:"task_version"`
		Task        *events.TaskData `json:"task"`
	}{"event", ev.Seq, ev.EventID, ev.EventType, ev.TaskID, ev.TaskVersion, &ev.TaskData}
	if ev.EventType == events.Deleted {
		frame.Task = nil
	}
	return encode(frame)
}

// Notification is one notification.
func Notification(ev events.NotificationEvent) (*Frame, error) {
	return encode(struct {
		Type string `json:"type"`
		events.NotificationEvent
	}{"notification", ev})
}

// Resync says that the events up to seq are not coming.
func Resync(reason string, seq int64) *Frame {
	return must(encode(struct {
		Type   string `json:"type"`
		Reason string `json:"reason"`
		Seq    int64  `json:"seq"`
	}{"resync", reason, seq}))
}

// Error says what is wrong. A negative retry is null: never.
func Error(code, message string, retry time.Duration) *Frame {
	return must(encode(struct {
		Type    string `json:"type"`
		Code    string `json:"code"`
		Message string `json:"message"`
		Retry   *int64 `json:"retry"`
	}{"error", code, message, milliseconds(retry)}))
}

// Pong answers a client's ping.
func Pong() *Frame { return pong }

var pong = must(encode(struct {
	Type string `json:"type"`
}{"pong"}))

func encode(v any) (*Frame, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // a frame is never HTML
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encode frame: %w", err)
	}
	data := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	prepared, err := websocket.NewPreparedMessage(websocket.TextMessage, data)
	if err != nil {
		return nil, fmt.Errorf("prepare frame: %w", err)
	}
	return &Frame{Prepared: prepared, Size: len(data)}, nil
}

// must is for frames of strings and numbers only, which always encode.
func must(f *Frame, err error) *Frame {
	if err != nil {
		panic(err)
	}
	return f
}
