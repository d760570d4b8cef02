package httpapi

import (
	"context"
	"errors"
	"time"

	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/services/websocket/internal/hub"
	"github.com/taskwire/taskwire/services/websocket/internal/socket"
	"github.com/taskwire/taskwire/services/websocket/internal/wire"
)

const (
	// keysWait is how long a connection waits for the keys that its token is checked with: a sidecar or a task API that
	// restarts is back by then, and the client need not come again.
	keysWait = 10 * time.Second
	// keysPause is between two tries.
	keysPause = 500 * time.Millisecond
	// maxRefused is how many bad tokens an open connection may send.
	maxRefused = 3
)

// Hub is the part of the hub that a session calls.
type Hub interface {
	Join(userID string, since *int64, sink hub.Sink) (*hub.Member, error)
	Leave(m *hub.Member)
}

// Verifier checks access tokens.
type Verifier interface {
	Verify(ctx context.Context, token string) (auth.Identity, error)
}

// session is what a client says on one connection.
type session struct {
	*handler
	conn    *socket.Conn
	begun   bool // the first frame came
	userID  string
	member  *hub.Member // nil: not let in
	refused int         // bad tokens since the last good one
}

// run serves the connection until it ends. A connection that was refused is read too, until the peer has answered the
// close frame.
func (s *session) run() {
	defer s.conn.Finish()
	patience := time.AfterFunc(s.AuthWait, func() { s.conn.Close(wire.Close(wire.AuthTimeout)) })
	defer patience.Stop()
	for {
		data, err := s.conn.Read()
		if err != nil {
			break
		}
		patience.Stop()
		apart(func() { s.handle(data) })
	}
	if s.member != nil {
		s.Hub.Leave(s.member)
	}
}

// apart runs f on a stack of its own and waits for it. Decoding and checking a token need a deep stack for a moment; the
// goroutine that reads would keep it for as long as the connection is open.
func apart(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	<-done
}

// handle handles one frame.
func (s *session) handle(data []byte) {
	frame, err := wire.ParseClient(data)
	if err != nil {
		closing := wire.Close(wire.BadFrame)
		var bad *wire.FrameError
		if errors.As(err, &bad) {
			closing = closing.With(bad.Reason)
		}
		s.conn.Close(closing)
		return
	}
	switch {
	case !s.begun:
		s.begun = true
		s.begin(frame)
	case frame.Type == wire.TypePing:
		s.conn.Say(wire.Pong())
	case s.member != nil:
		s.renew(frame)
	}
}

// begin lets the client in, by its first frame.
func (s *session) begin(frame wire.ClientFrame) {
	if frame.Type != wire.TypeAuth {
		s.conn.Close(wire.Close(wire.Unauthenticated).With("The first frame is auth."))
		return
	}
	id, err := s.verify(frame.Token)
	if err != nil {
		s.conn.Close(wire.Close(codeOf(err)))
		return
	}
	s.conn.Authenticated(id.ExpiresAt)
	s.userID = id.UserID
	s.member, err = s.Hub.Join(id.UserID, frame.Since, s.conn)
	if err != nil {
		s.conn.Close(wire.Close(wire.TooManyConnections))
		return
	}
	s.Log.Debug("connected", "user_id", id.UserID, "connection_id", s.conn.ID)
}

// renew takes a newer token of the same user.
func (s *session) renew(frame wire.ClientFrame) {
	id, err := s.verify(frame.Token)
	switch {
	case err != nil && codeOf(err) == wire.Unavailable:
		s.conn.Say(wire.Close(wire.Unavailable).Frame()) // the old token still holds
	case err != nil:
		s.refused++
		if s.refused >= maxRefused {
			s.conn.Close(wire.Close(wire.Unauthenticated))
			return
		}
		s.conn.Say(wire.Close(wire.Unauthenticated).Frame())
	case id.UserID != s.userID:
		s.conn.Close(wire.Close(wire.Unauthenticated).With("The token is another user's."))
	default:
		s.refused = 0
		s.conn.Authenticated(id.ExpiresAt)
	}
}

// codeOf is the code for a token that was not accepted.
func codeOf(err error) wire.Code {
	if errors.Is(err, auth.ErrUnavailable) {
		return wire.Unavailable
	}
	return wire.Unauthenticated
}

// verify checks a token, waiting a while for the keys where they cannot be had.
func (s *session) verify(token string) (auth.Identity, error) {
	ctx, cancel := context.WithTimeout(context.Background(), keysWait)
	defer cancel()
	for {
		id, err := s.Verifier.Verify(ctx, token)
		if !errors.Is(err, auth.ErrUnavailable) {
			return id, err
		}
		select {
		case <-time.After(keysPause):
		case <-ctx.Done():
			return id, err
		}
	}
}
