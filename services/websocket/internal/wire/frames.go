package wire

import (
	"fmt"
	"time"

	"github.com/gorilla/websocket"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/events/live"
)

// Frame is one frame of the server, ready to be written to any number of connections.
type Frame struct {
	Prepared *websocket.PreparedMessage
	Size     int       // bytes of JSON
	Made     time.Time // when a live event was made; zero for a replayed one and for an answer to the client
}

// Event prepares one change of a task.
func Event(ev events.TaskUpdateEvent) (*Frame, error) { return prepare(live.EventOf(&ev).Encode()) }

// Notification prepares one change of the inbox.
func Notification(ev events.NotificationEvent) (*Frame, error) {
	return prepare(live.Notification(ev).Encode())
}

// Welcome prepares the first frame of a connection.
func Welcome(w live.Welcome) *Frame { return must(w) }

// Resync prepares the frame that says which events are not sent.
func Resync(r live.Resync) *Frame { return must(r) }

// Error prepares the error frame of a closing.
func Error(c live.Closing) *Frame { return must(c.ErrorFrame()) }

// Pong returns the answer to a client's ping.
func Pong() *Frame { return pong }

var pong = must(live.Pong{})

// ClosePayload returns the body of the close frame.
func ClosePayload(c live.Closing) []byte {
	return websocket.FormatCloseMessage(int(c.Code), c.Reason())
}

func prepare(data []byte, err error) (*Frame, error) {
	if err != nil {
		return nil, err
	}
	prepared, err := websocket.NewPreparedMessage(websocket.TextMessage, data)
	if err != nil {
		return nil, fmt.Errorf("prepare frame: %w", err)
	}
	return &Frame{Prepared: prepared, Size: len(data)}, nil
}

// must prepares a frame of strings and numbers only, which can always be encoded.
func must(f live.ServerFrame) *Frame {
	frame, err := prepare(f.Encode())
	if err != nil {
		panic(err)
	}
	return frame
}
