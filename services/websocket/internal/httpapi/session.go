package httpapi

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/taskwire/taskwire/pkg/events/live"
	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/services/websocket/internal/hub"
	"github.com/taskwire/taskwire/services/websocket/internal/socket"
	"github.com/taskwire/taskwire/services/websocket/internal/wire"
)

// This file has the client's side of a connection: what each of its frames does.

const (
	// keysPause is the pause between two attempts to get the keys that verify a token.
	keysPause = 500 * time.Millisecond
	// maxRefusedTokens is how many invalid tokens in a row an open connection may send: a page that gets a new token may
	// send the old one once more.
	maxRefusedTokens = 3
)

// Hub is the part of the hub that a session calls.
type Hub interface {
	Join(userID string, start hub.Start, sink hub.Sink) (*hub.Member, error)
	Leave(m *hub.Member)
	Renew(m *hub.Member, session string)
}

// Verifier verifies access tokens.
type Verifier interface {
	Verify(ctx context.Context, token string) (auth.Identity, error)
}

// Sessions knows which sessions have ended.
type Sessions interface {
	Admit(id auth.Identity) (auth.Identity, error)
}

// session handles the frames of one connection.
type session struct {
	*handler
	conn    *socket.Conn
	started bool // the first frame has arrived
	userID  string
	member  *hub.Member // nil: not authenticated
	refused int         // invalid tokens since the last valid one
}

// run serves the connection until it ends. It also reads from a connection that was refused, until the peer has answered
// the close frame.
func (s *session) run() {
	defer s.conn.Finish()
	timeout := time.AfterFunc(s.AuthWait, func() { s.conn.Close(live.AuthTimeout.Closing()) })
	defer timeout.Stop()
	for {
		data, err := s.conn.Read()
		if err != nil {
			break
		}
		timeout.Stop()
		onFreshStack(func() { s.handle(data) })
	}
	if s.member != nil {
		s.Hub.Leave(s.member)
	}
}

// onFreshStack runs f in another goroutine and waits for it. Decoding and verifying a token need a deep stack for a
// moment; the reading goroutine would hold that memory as long as the connection is open.
func onFreshStack(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	<-done
}

func (s *session) handle(data []byte) {
	frame, err := live.DecodeClient(data)
	if err != nil {
		closing := live.BadFrame.Closing()
		if bad, ok := errors.AsType[*live.FrameError](err); ok {
			closing = closing.With(bad.Reason)
		}
		s.conn.Close(closing)
		return
	}
	first := !s.started
	s.started = true
	switch frame := frame.(type) {
	case live.Auth:
		switch {
		case first:
			s.authenticate(frame)
		case s.member != nil:
			s.renew(frame)
		}
	case live.Ping:
		if first {
			s.conn.Close(live.Unauthenticated.Closing().With("The first frame is auth."))
			return
		}
		s.conn.Reply(wire.Pong())
	}
}

// authenticate handles the first auth frame: the connection joins the user's others. The answer comes within WelcomeWait: the
// hub gets what the token has left of it.
func (s *session) authenticate(frame live.Auth) {
	deadline := time.Now().Add(s.WelcomeWait)
	id, err := s.verify(frame.Token)
	if err != nil {
		s.conn.Close(codeOf(err).Closing())
		return
	}
	s.conn.Authenticated(s.endOf(id))
	s.userID = id.UserID
	start := hub.Start{Since: frame.Since, NotificationsSince: frame.NotificationsSince, Session: sessionOf(id), Wait: time.Until(deadline)}
	s.member, err = s.Hub.Join(id.UserID, start, s.conn)
	if err != nil {
		s.conn.Close(live.TooManyConnections.Closing())
		return
	}
	s.closeIfEnded(id)
	s.Log.Debug("connected", "user_id", id.UserID, "connection_id", s.conn.ID)
}

// endOf returns when the connection needs a token again. A personal API token is valid for months, and its revocation is
// remembered for minutes only: a process that could not learn of it in that time would keep the connection. So its client sends
// the token as often as others send theirs.
func (s *session) endOf(id auth.Identity) time.Time {
	if again := time.Now().Add(s.PersonalLife); id.TokenID != "" && again.Before(id.ExpiresAt) {
		return again
	}
	return id.ExpiresAt
}

// sessionOf returns what ends the connection when it ends: the session, or the personal API token.
func sessionOf(id auth.Identity) string {
	if id.TokenID != "" {
		return id.TokenID
	}
	return id.SessionID
}

// closeIfEnded closes the connection if its session has ended since its token was verified: the hub did not know the
// connection then.
func (s *session) closeIfEnded(id auth.Identity) {
	if _, err := s.Sessions.Admit(id); err != nil {
		s.conn.Close(codeOf(err).Closing())
	}
}

// renew handles a later auth frame: a valid token of the same user extends the connection.
func (s *session) renew(frame live.Auth) {
	id, err := s.verify(frame.Token)
	switch {
	case err != nil && codeOf(err) == live.Unavailable:
		s.conn.Reply(wire.Error(live.Unavailable.Closing())) // the previous token is still valid
	case err != nil:
		s.refused++
		if s.refused >= maxRefusedTokens {
			s.conn.Close(live.Unauthenticated.Closing())
			return
		}
		s.conn.Reply(wire.Error(live.Unauthenticated.Closing()))
	case id.UserID != s.userID:
		s.conn.Close(live.Unauthenticated.Closing().With("The token belongs to another user."))
	default:
		s.refused = 0
		s.conn.Authenticated(s.endOf(id))
		s.Hub.Renew(s.member, sessionOf(id))
		s.closeIfEnded(id)
	}
}

// codeOf returns the code for a token that was not accepted.
func codeOf(err error) live.Code {
	switch {
	case errors.Is(err, auth.ErrUnavailable):
		return live.Unavailable
	case errors.Is(err, auth.ErrDeleted):
		return live.AccountGone
	default:
		return live.Unauthenticated
	}
}

// verify verifies a token. While the keys are not available, it retries for WelcomeWait, and then returns an error that wraps
// auth.ErrUnavailable. It does not wait for an attempt that takes longer: that one gets the keys for later connections.
func (s *session) verify(token string) (auth.Identity, error) {
	ctx, cancel := context.WithTimeout(context.Background(), s.WelcomeWait)
	type result struct {
		id  auth.Identity
		err error
	}
	done := make(chan result, 1)
	go func() {
		defer cancel()
		id, err := s.retryVerify(ctx, token)
		done <- result{id, err}
	}()
	select {
	case r := <-done:
		return r.id, r.err
	case <-ctx.Done():
	}
	select {
	case r := <-done: // it ended in the same moment
		return r.id, r.err
	default:
		return auth.Identity{}, fmt.Errorf("%w: %w", auth.ErrUnavailable, context.Cause(ctx))
	}
}

// retryVerify returns an error that wraps auth.ErrUnavailable when ctx ends before there are keys.
func (s *session) retryVerify(ctx context.Context, token string) (auth.Identity, error) {
	var last error
	id, err := backoff.Retry(ctx, func() (auth.Identity, error) {
		id, err := s.Verifier.Verify(ctx, token)
		if last = err; err != nil && !errors.Is(err, auth.ErrUnavailable) {
			return id, backoff.Permanent(err)
		}
		return id, err
	}, backoff.WithBackOff(backoff.NewConstantBackOff(keysPause)), backoff.WithMaxElapsedTime(0))
	if err != nil {
		return id, last
	}
	return id, nil
}
