package live

import (
	"encoding/json"
	"time"
)

// Code is why the server ends a connection: the code of the close frame.
type Code int

// The codes. Codes has their meaning.
const (
	Restarting         Code = 1012 // "service restart" in the registry of RFC 6455
	BadFrame           Code = 4000
	Unauthenticated    Code = 4001
	AuthTimeout        Code = 4002
	TokenExpired       Code = 4003
	Slow               Code = 4004
	TooManyConnections Code = 4005
	TooManyFrames      Code = 4006
	Unavailable        Code = 4007
	AccountGone        Code = 4008
	SessionEnded       Code = 4009
)

// FrameTooLarge is the code that the WebSocket library sends by itself for a frame above the size limit. No error frame
// precedes it, so Codes does not have it.
const FrameTooLarge Code = 1009

// Action is what a client does when its connection ends.
type Action int

// The actions.
const (
	Reconnect Action = iota // connect again after retry, with the last seq as since
	NewToken                // get a new access token, then connect again
	Stop                    // do not connect again
)

// String returns the action's name in the table of the package's doc.
func (a Action) String() string {
	switch a {
	case NewToken:
		return "new token"
	case Stop:
		return "stop"
	default:
		return "reconnect"
	}
}

// Never as a retry says that the same attempt fails again.
const Never time.Duration = -1

// Meaning describes a code.
type Meaning struct {
	Name    string        // the code field of the error frame
	Message string        // for people
	Action  Action        // what the client does
	Retry   time.Duration // how long the client waits before it connects again; Never where that cannot help
}

// Codes describes every code that the server decides on. The table in the package's doc is checked against it.
var Codes = map[Code]Meaning{
	Restarting:         {"restarting", "The service is restarting.", Reconnect, time.Second},
	BadFrame:           {"bad_frame", "The frame is not one of the protocol.", Stop, Never},
	Unauthenticated:    {"unauthenticated", "The access token is not valid.", NewToken, Never},
	AuthTimeout:        {"auth_timeout", "No auth frame came in time.", Reconnect, time.Second},
	TokenExpired:       {"token_expired", "The access token has expired.", NewToken, 0},
	Slow:               {"slow", "The connection cannot keep up with its events.", Reconnect, time.Second},
	TooManyConnections: {"too_many_connections", "The user has too many connections.", Reconnect, time.Minute},
	TooManyFrames:      {"too_many_frames", "The client sends too many frames.", Reconnect, 10 * time.Second},
	Unavailable:        {"unavailable", "The service cannot do this now.", Reconnect, 2 * time.Second},
	AccountGone:        {"account_gone", "There is no such account any more.", Stop, Never},
	SessionEnded:       {"session_ended", "The session has ended. Log in again.", Stop, Never},
}

// byName finds a code by the code field of an error frame.
var byName = func() map[string]Code {
	names := make(map[string]Code, len(Codes))
	for code, meaning := range Codes {
		names[meaning.Name] = code
	}
	return names
}()

// String returns the code's name. It is empty for a code that Codes does not have.
func (c Code) String() string { return Codes[c].Name }

// Action returns what a client does after a close frame with this code.
func (c Code) Action() Action {
	if c == FrameTooLarge {
		return Stop
	}
	return Codes[c].Action // a code that is not known is Reconnect
}

// Closing returns the end of a connection with this code, as Codes describes it.
func (c Code) Closing() Closing { return Closing{Code: c, Retry: Codes[c].Retry} }

// Closing is one end of a connection: a code and its details.
type Closing struct {
	Code  Code
	Retry time.Duration // negative: never
	Note  string        // a further sentence for people; may be empty
}

// With returns the closing with a note.
func (c Closing) With(note string) Closing {
	c.Note = note
	return c
}

// ErrorFrame returns the frame that precedes the close frame.
func (c Closing) ErrorFrame() Error {
	message := Codes[c.Code].Message
	if c.Note != "" {
		message += " " + c.Note
	}
	return Error{Code: c.Code.String(), Message: message, Retry: milliseconds(c.Retry)}
}

// CloseReason is the reason of a close frame, in JSON. RFC 6455 allows 123 bytes.
type CloseReason struct {
	Code  string `json:"code"`
	Retry *int64 `json:"retry"` // milliseconds; nil: never
}

// Reason returns the reason of the close frame.
func (c Closing) Reason() string {
	reason, err := json.Marshal(CloseReason{c.Code.String(), milliseconds(c.Retry)})
	if err != nil {
		return "" // a string and a number can always be encoded
	}
	return string(reason)
}

// milliseconds is the wire form of a retry: null for never.
func milliseconds(d time.Duration) *int64 {
	if d < 0 {
		return nil
	}
	ms := d.Milliseconds()
	return &ms
}
