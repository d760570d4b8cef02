package wire

import (
	"encoding/json"
	"time"

	"github.com/gorilla/websocket"
)

// Code is why the service ends a connection: the code of the close frame.
type Code int

// The codes. 1009 (a frame above the size limit) comes from the WebSocket library. The Advice in Codes says what a
// client does about each.
const (
	Restarting         Code = websocket.CloseServiceRestart // 1012
	BadFrame           Code = 4000
	Unauthenticated    Code = 4001
	AuthTimeout        Code = 4002
	TokenExpired       Code = 4003
	Slow               Code = 4004
	TooManyConnections Code = 4005
	TooManyFrames      Code = 4006
	Unavailable        Code = 4007
	AccountGone        Code = 4008
)

// Meaning is what a code says.
type Meaning struct {
	Name    string        // the code of the error frame
	Message string        // for people
	Advice  string        // what the client does
	Retry   time.Duration // how long the client waits before it connects again; negative: it does not, as it is
}

// never says that connecting again in the same way is no use.
const never = -1

// Codes names every code.
var Codes = map[Code]Meaning{
	Restarting:         {"restarting", "The service is restarting.", "Connect again after retry, with the last seq as since.", time.Second},
	BadFrame:           {"bad_frame", "The frame is not one of the protocol.", "Mend the client; do not connect again as it is.", never},
	Unauthenticated:    {"unauthenticated", "The access token is not valid.", "Get a new access token, then connect again.", never},
	AuthTimeout:        {"auth_timeout", "No auth frame came in time.", "Connect again and send auth first.", time.Second},
	TokenExpired:       {"token_expired", "The access token has expired.", "Get a new access token, then connect again with the last seq as since.", 0},
	Slow:               {"slow", "The connection cannot keep up with its events.", "Connect again with the last seq as since; nothing is lost.", time.Second},
	TooManyConnections: {"too_many_connections", "The user has too many connections.", "Close others first; connect again after retry.", time.Minute},
	TooManyFrames:      {"too_many_frames", "The client sends too many frames.", "Send fewer; connect again after retry.", 10 * time.Second},
	Unavailable:        {"unavailable", "The service cannot do this now.", "Connect again after retry, with the last seq as since.", 2 * time.Second},
	AccountGone:        {"account_gone", "There is no such account any more.", "Drop what is kept of the account and sign in again.", never},
}

// String is the code's name.
func (c Code) String() string { return Codes[c].Name }

// Closing is the end of a connection: a code with its details.
type Closing struct {
	Code  Code
	Retry time.Duration // negative: never
	Note  string        // more for people; may be empty
}

// Close makes the closing that Codes describes.
func Close(c Code) Closing { return Closing{Code: c, Retry: Codes[c].Retry} }

// With adds a note for people.
func (c Closing) With(note string) Closing {
	c.Note = note
	return c
}

// Frame is the error frame that comes before the close frame.
func (c Closing) Frame() *Frame {
	message := Codes[c.Code].Message
	if c.Note != "" {
		message += " " + c.Note
	}
	return Error(c.Code.String(), message, c.Retry)
}

// Payload is the body of the close frame: the code, then {"code":…,"retry":…} as its reason, within the 123 bytes that
// RFC 6455 allows.
func (c Closing) Payload() []byte {
	reason, err := json.Marshal(struct {
		Code  string `json:"code"`
		Retry *int64 `json:"retry"`
	}{c.Code.String(), milliseconds(c.Retry)})
	if err != nil {
		reason = nil // a string and a number always encode
	}
	return websocket.FormatCloseMessage(int(c.Code), string(reason))
}

// milliseconds is the wire form of a retry delay.
func milliseconds(d time.Duration) *int64 {
	if d < 0 {
		return nil
	}
	ms := d.Milliseconds()
	return &ms
}
