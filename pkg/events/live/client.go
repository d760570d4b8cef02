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
	Token string `json:"token"`           // an access token
	Since *int64 `json:"since,omitempty"` // the last seq that the client has; nil: start at the newest change
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

// DecodeClient reads a client's frame. It refuses unknown fields: a misspelt since would silently skip events. The error
// is a *FrameError.
func DecodeClient(data []byte) (ClientFrame, error) {
	var f struct {
		Type  string `json:"type"`
		Token string `json:"token"`
		Since *int64 `json:"since"`
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		return nil, &FrameError{"A frame is one JSON object with type, token and since, and no other field."}
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, &FrameError{"A frame is one JSON object with nothing after it."}
	}
	switch f.Type {
	case TypePing:
		return Ping{}, nil
	case TypeAuth:
		if f.Token == "" {
			return nil, &FrameError{"An auth frame has a token."}
		}
		if f.Since != nil && *f.Since < 0 {
			return nil, &FrameError{"since is a seq: 0 or above."}
		}
		return Auth{Token: f.Token, Since: f.Since}, nil
	default:
		return nil, &FrameError{"type is auth or ping."}
	}
}
