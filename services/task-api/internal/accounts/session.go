package accounts

import (
	"context"
	"errors"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/publish"
)

// MaxSessions bounds the live sessions of an account, and so the work of ending them all. It is far above the number of a
// person's devices: it is reached by a script that logs in each time, whose oldest session then ends.
const MaxSessions = 100

// Why sessions end. The texts are in events, so the audit log shows them.
const (
	reasonLoggedOut  = "logged out"
	reasonRemote     = "ended from another session"
	reasonEverywhere = "logged out everywhere"
	reasonReused     = "a used refresh token was presented again"

	// The store ends the sessions for these reasons by itself.
	ReasonPassword = "the password was changed"
	ReasonTooMany  = "the account has more sessions than are kept"
)

// ErrNoSession means that the user has no such live session.
var ErrNoSession = errors.New("no such session")

// LiveSession is a session as its owner sees it. LastUsedAt, address and device are those of the log-in or, since then, of the
// newest refresh.
type LiveSession struct {
	ID         string    `json:"id"`
	Current    bool      `json:"current"` // whether the request has a token of this session
	CreatedAt  time.Time `json:"created_at"`
	LastUsedAt time.Time `json:"last_used_at"`
	ExpiresAt  time.Time `json:"expires_at"` // unless it is used before
	Address    string    `json:"address"`
	Device     string    `json:"device"`
}

// Sessions returns the live sessions of a user, the one that was used last first. current is the id of the caller's session.
func (s *Service) Sessions(ctx context.Context, userID, current string) ([]LiveSession, error) {
	list, err := s.store.Sessions(ctx, userID, s.now())
	for i := range list {
		list[i].Current = list[i].ID == current
	}
	return list, err
}

// EndSession ends a live session of the user, which may be the caller's own one. It returns ErrNoSession if the user has none
// with that id.
func (s *Service) EndSession(ctx context.Context, userID, current, id string, by Client) error {
	change, reason := publish.AccountChange{Type: events.AccountSessionEnded}, reasonRemote
	if id == current {
		change, reason = publish.AccountChange{Type: events.AccountLoggedOut, SessionID: id}, reasonLoggedOut
	}
	n, err := s.end(ctx, Ending{UserID: userID, Only: id, Reason: reason}, change, by)
	if err == nil && n == 0 {
		return ErrNoSession
	}
	return err
}

// EndSessions ends all live sessions of the user. It leaves the session except, unless that is "".
func (s *Service) EndSessions(ctx context.Context, userID, except string, by Client) error {
	_, err := s.end(ctx, Ending{UserID: userID, Except: except, Reason: reasonEverywhere},
		publish.AccountChange{Type: events.AccountSessionEnded}, by)
	return err
}

func (s *Service) end(ctx context.Context, e Ending, change publish.AccountChange, by Client) (int, error) {
	e.At, change.Actor, change.EndReason = s.instant(), e.UserID, e.Reason
	record, ended := s.recorder(ctx, change, by, e.At)
	n, err := s.store.EndSessions(ctx, e, record)
	if err != nil {
		return 0, err
	}
	s.sessionsEnded(e.UserID, e.At, *ended)
	if n > 0 {
		s.log.InfoContext(ctx, "ended sessions: "+e.Reason, "user_id", e.UserID, "sessions", n, "address", by.Address())
	}
	return n, nil
}

// recorder returns a Record that makes the events of a change by a client, and where it keeps the sessions that ended.
func (s *Service) recorder(ctx context.Context, change publish.AccountChange, by Client, at time.Time) (Record, *[]string) {
	ended := new([]string)
	change.At, change.Address, change.Device = at, by.Address(), by.Device()
	return func(tx publish.Tx, userID string, ids []string) error {
		change.UserID, change.Ended, *ended = userID, ids, ids
		return s.events.PublishAccountEvent(ctx, tx, change)
	}, ended
}

// instant returns the time with the precision of the database, so that a row and its event have the same one.
func (s *Service) instant() time.Time { return domain.Instant(s.now()) }
