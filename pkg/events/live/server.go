package live

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

// The types of the server's frames.
const (
	TypeWelcome      = "welcome"
	TypeEvent        = "event"
	TypeNotification = "notification"
	TypeResync       = "resync"
	TypeError        = "error"
	TypePong         = "pong"
)

// ErrUnknownFrame says that a well-formed frame of the server has a type that this version does not know. A client skips
// the frame.
var ErrUnknownFrame = errors.New("unknown frame type")

// ServerFrame is a frame that the server sends: Welcome, Event, Notification, Resync, Error or Pong.
type ServerFrame interface {
	// Encode returns the frame as compact JSON, with its type first.
	Encode() ([]byte, error)
	serverFrame()
}

// Stream is one of the two sequences that a connection sends.
type Stream string

// The streams.
const (
	StreamTasks         Stream = "tasks"         // the changes of tasks, numbered by seq
	StreamNotifications Stream = "notifications" // the changes of the inbox, numbered by notification_seq
)

// Streams lists every stream.
var Streams = []Stream{StreamTasks, StreamNotifications}

// Welcome is the first frame after a valid auth frame.
type Welcome struct {
	Seq int64 `json:"seq"` // the connection's first event is seq+1
	// NotificationSeq is the same for notifications. It is nil when their service does not answer and the client did not say
	// where to start: then a resync frame follows as soon as the service answers.
	NotificationSeq *int64 `json:"notification_seq"`
	Unread          *int64 `json:"unread"` // unread notifications; nil when their service does not answer
	ConnectionID    string `json:"connection_id"`
	HeartbeatMS     int64  `json:"heartbeat_ms"` // between the server's pings
}

// Event is one change of a task.
type Event struct {
	Seq         int64            `json:"seq"` // 0 for an event in the original form
	EventID     string           `json:"event_id"`
	EventType   events.Type      `json:"event_type"` // the set is open
	TaskID      string           `json:"task_id"`
	TaskVersion int64            `json:"task_version"`
	Task        *events.TaskData `json:"task"` // nil when the task was deleted
}

// EventOf returns the frame of a change. The frame shares the task with ev.
func EventOf(ev *events.TaskUpdateEvent) Event {
	frame := Event{ev.Seq, ev.EventID, ev.EventType, ev.TaskID, ev.TaskVersion, &ev.TaskData}
	if ev.EventType == events.Deleted {
		frame.Task = nil
	}
	return frame
}

// Notification is one change of the user's inbox.
type Notification events.NotificationEvent

// Resync says that the events of a stream up to Seq are not sent. The next event is Seq+1.
type Resync struct {
	Stream Stream `json:"stream"`
	Reason Reason `json:"reason"`
	Seq    int64  `json:"seq"` // a notification_seq in the stream of notifications
}

// Reason is why a connection is told to resync.
type Reason string

// The reasons.
const (
	ReasonGap         Reason = "gap_too_large"   // more events are missing than the server replays
	ReasonPruned      Reason = "events_pruned"   // since is older than what the server keeps
	ReasonAhead       Reason = "since_too_high"  // since is above the user's newest event
	ReasonRewound     Reason = "history_rewound" // the user's newest event is below what was sent: a restored database
	ReasonMissing     Reason = "events_missing"  // events are missing where they should be
	ReasonUnavailable Reason = "not_available"   // the stream could not be read in time for the welcome frame
)

// Reasons lists every reason.
var Reasons = []Reason{ReasonGap, ReasonPruned, ReasonAhead, ReasonRewound, ReasonMissing, ReasonUnavailable}

// Error says what is wrong. It precedes a close frame, or answers a token that was refused while the connection stays.
type Error struct {
	Code    string `json:"code"` // the name of a Code
	Message string `json:"message"`
	Retry   *int64 `json:"retry"` // milliseconds to wait before the next attempt; nil: never
}

// Action returns what a client does when the connection ends after this frame. For a code that is not known, Retry
// decides.
func (f Error) Action() Action {
	code, known := byName[f.Code]
	switch {
	case known:
		return code.Action()
	case f.Retry == nil:
		return Stop
	default:
		return Reconnect
	}
}

// RetryAfter returns how long to wait before the next attempt, or Never.
func (f Error) RetryAfter() time.Duration {
	if f.Retry == nil {
		return Never
	}
	return time.Duration(*f.Retry) * time.Millisecond
}

// Pong answers a ping frame.
type Pong struct{}

func (Welcome) serverFrame()      {}
func (Event) serverFrame()        {}
func (Notification) serverFrame() {}
func (Resync) serverFrame()       {}
func (Error) serverFrame()        {}
func (Pong) serverFrame()         {}

// Encode implements ServerFrame.
func (f Welcome) Encode() ([]byte, error) {
	return encode(struct {
		Type string `json:"type"`
		Welcome
	}{TypeWelcome, f})
}

// Encode implements ServerFrame.
func (f Event) Encode() ([]byte, error) {
	return encode(struct {
		Type string `json:"type"`
		Event
	}{TypeEvent, f})
}

// Encode implements ServerFrame.
func (f Notification) Encode() ([]byte, error) {
	return encode(struct {
		Type string `json:"type"`
		Notification
	}{TypeNotification, f})
}

// Encode implements ServerFrame.
func (f Resync) Encode() ([]byte, error) {
	return encode(struct {
		Type string `json:"type"`
		Resync
	}{TypeResync, f})
}

// Encode implements ServerFrame.
func (f Error) Encode() ([]byte, error) {
	return encode(struct {
		Type string `json:"type"`
		Error
	}{TypeError, f})
}

// Encode implements ServerFrame.
func (Pong) Encode() ([]byte, error) {
	return encode(struct {
		Type string `json:"type"`
	}{TypePong})
}

// encode writes compact JSON and leaves <, > and & as they are: a frame is never part of a page's source.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encode frame: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// DecodeServer reads a frame of the server, and skips fields that it does not know. The error is ErrUnknownFrame for a
// type that it does not know.
func DecodeServer(data []byte) (ServerFrame, error) {
	var head struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, fmt.Errorf("decode frame: %w", err)
	}
	switch head.Type {
	case TypeWelcome:
		return decode[Welcome](head.Type, data)
	case TypeEvent:
		return decode[Event](head.Type, data)
	case TypeNotification:
		return decode[Notification](head.Type, data)
	case TypeResync:
		return decode[Resync](head.Type, data)
	case TypeError:
		return decode[Error](head.Type, data)
	case TypePong:
		return Pong{}, nil
	case "":
		return nil, errors.New("decode frame: it has no type")
	}
	return nil, fmt.Errorf("%w %q", ErrUnknownFrame, head.Type)
}

func decode[F ServerFrame](kind string, data []byte) (ServerFrame, error) {
	var frame F
	if err := json.Unmarshal(data, &frame); err != nil {
		return nil, fmt.Errorf("decode %s frame: %w", kind, err)
	}
	return frame, nil
}
