package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// Subprotocol is the protocol's name in the handshake.
const Subprotocol = "taskwire.v1"

// The types of a client's frames.
const (
	TypeAuth = "auth"
	TypePing = "ping"
)

// ClientFrame is one message of a client.
type ClientFrame struct {
	Type  string `json:"type"`
	Token string `json:"token"`
	Since *int64 `json:"since"` // nil: start at the newest change
}

// FrameError says what is wrong with a client's frame; its text is for the client.
type FrameError struct{ Reason string }

func (e *FrameError) Error() string { return e.Reason }

// ParseClient reads a client's frame. An unknown field is refused: a misspelt since would silently skip events.
func ParseClient(data []byte) (ClientFrame, error) {
	var f ClientFrame
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		return f, &FrameError{"A frame is one JSON object with type, token and since, and no other field."}
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return f, &FrameError{"A frame is one JSON object and nothing behind it."}
	}
	switch f.Type {
	case TypePing:
	case TypeAuth:
		if f.Token == "" {
			return f, &FrameError{"An auth frame has a token."}
		}
		if f.Since != nil && *f.Since < 0 {
			return f, &FrameError{"since is a seq: 0 or above."}
		}
	default:
		return f, &FrameError{"type is auth or ping."}
	}
	return f, nil
}
