package live

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// Subprotocol is the protocol's name in the handshake.
const Subprotocol = "taskwire.v1"

// The types of the client's frames.
const (
	TypeAuth = "auth"
	TypePing = "ping"
)

// ClientFrame is a frame that a client sends: Auth or Ping.
type ClientFrame interface {
	// Encode returns the frame as compact JSON, with its type first.
	Encode() ([]byte, error)
	clientFrame()
}

// Auth is a client's first frame. A later one extends the connection.
type Auth struct {
	Token              string `json:"token"`                         // an access token
	Since              *int64 `json:"since,omitempty"`               // the last seq that the client has; nil: start at the newest change
	NotificationsSince *int64 `json:"notifications_since,omitempty"` // the same for notification_seq
}

// Ping asks for a Pong.
type Ping struct{}

func (Auth) clientFrame() {}
func (Ping) clientFrame() {}

// Encode implements ClientFrame.
func (f Auth) Encode() ([]byte, error) {
	return encode(struct {
		Type string `json:"type"`
		Auth
	}{TypeAuth, f})
}

// Encode implements ClientFrame.
func (Ping) Encode() ([]byte, error) {
	return encode(struct {
		Type string `json:"type"`
	}{TypePing})
}

// FrameError says what is wrong with a client's frame. The server sends its text to the client.
type FrameError struct{ Reason string }

func (e *FrameError) Error() string { return e.Reason }

// DecodeClient reads a client's frame. It is as strict as the HTTP API: it refuses names that it does not know, names in
// another case and names that are given twice. A misspelt since would silently skip events, and of two tokens the reader
// cannot know which one is meant. The error is a *FrameError.
func DecodeClient(data []byte) (ClientFrame, error) {
	var kind string
	var auth Auth
	err := decodeMembers(data, map[string]any{
		"type": &kind, "token": &auth.Token, "since": &auth.Since, "notifications_since": &auth.NotificationsSince,
	})
	if err != nil {
		return nil, err
	}
	switch kind {
	case TypePing:
		return Ping{}, nil
	case TypeAuth:
		if err := auth.check(); err != nil {
			return nil, err
		}
		return auth, nil
	default:
		return nil, &FrameError{"type is auth or ping."}
	}
}

// check returns a nil error or a *FrameError.
func (f Auth) check() error {
	if f.Token == "" {
		return &FrameError{"An auth frame has a token."}
	}
	for name, place := range map[string]*int64{"since": f.Since, "notifications_since": f.NotificationsSince} {
		if place != nil && *place < 0 {
			return &FrameError{name + " is a whole number: 0 or above."}
		}
	}
	return nil
}

// decodeMembers decodes an object into the variables that members points to. The error is nil or a *FrameError.
func decodeMembers(data []byte, members map[string]any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	if start, err := dec.Token(); err != nil || start != json.Delim('{') {
		return &FrameError{"A frame is one JSON object."}
	}
	seen := make(map[string]bool, len(members))
	for dec.More() {
		key, err := dec.Token()
		name, ok := key.(string)
		if err != nil || !ok {
			return &FrameError{"A frame is one JSON object."}
		}
		variable, known := members[name]
		switch {
		case !known:
			return &FrameError{"A frame has type, token, since and notifications_since, and no other field."}
		case seen[name]:
			return &FrameError{name + " is given twice."}
		}
		seen[name] = true
		if err := dec.Decode(variable); err != nil {
			return &FrameError{name + " has a value of another type."}
		}
	}
	if _, err := dec.Token(); err != nil { // the closing brace
		return &FrameError{"A frame is one JSON object."}
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return &FrameError{"A frame is one JSON object with nothing after it."}
	}
	return nil
}
