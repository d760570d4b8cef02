package accounts

import (
	"context"
	"errors"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/passwords"
	"github.com/taskwire/taskwire/services/task-api/internal/publish"
)

// ChangePassword checks the current password and sets a new one. It ends every session of the account, starts a new one, and
// returns its tokens. The error is a *domain.Invalid for a wrong current password or for a new one that is too easy to guess or
// the same, or ErrNoPassword for an account without one.
func (s *Service) ChangePassword(ctx context.Context, userID, current, next string, by Client) (Session, error) {
	owner, err := s.store.User(ctx, userID)
	if err != nil {
		return Session{}, err
	}
	if message := passwords.Problem(next, passwords.Owner{Email: owner.Email, Name: owner.Name}); message != "" {
		return Session{}, invalid("new_password", message)
	}
	old, err := s.confirm(ctx, userID, "current_password", current, by)
	if err != nil {
		return Session{}, err
	}
	if passwords.Same(current, next) {
		return Session{}, invalid("new_password", "must differ from the current password")
	}
	session, err := s.setPassword(ctx, userID, old, next, false, by)
	if errors.Is(err, ErrWrong) { // another request changed it after the check
		return Session{}, wrong("current_password")
	}
	return session, err
}

// setPassword replaces the password whose hash is old. It ends every log-in of the account and starts a new one. The devices of
// the account are unknown again: the one who had the old password may have used some. With tokens it revokes the API tokens too. The
// error is ErrWrong if the account has another password by now.
func (s *Service) setPassword(ctx context.Context, userID, old, next string, tokens bool, by Client) (Session, error) {
	hash, err := s.hasher.Hash(ctx, s.hasher.Turn(by.key(), true), next)
	if err != nil {
		return Session{}, err
	}
	now := s.instant()
	token, login, err := newLogin(userID, hash, by, now)
	if err != nil {
		return Session{}, err
	}
	record, ended := s.recorder(ctx, publish.AccountChange{Type: events.AccountPasswordChanged, SessionID: login.FamilyID, Actor: userID, EndReason: ReasonPassword}, by, now)
	var revokedTokens []string
	var revoked Record
	if tokens {
		revoked = func(tx publish.Tx, userID string, ids []string) error {
			revokedTokens = ids
			return s.recordRevoked(ctx, tx, userID, ids, by, now)
		}
	}
	if err := s.store.ChangePassword(ctx, old, login, record, revoked); err != nil {
		return Session{}, err
	}
	s.sessionsEnded(userID, now, *ended)
	for _, id := range revokedTokens {
		s.revoked(Revocation{Kind: RevokedToken, ID: id, UserID: userID, At: now})
	}
	if err := s.store.ForgetDevices(ctx, userID); err != nil { // the password is set
		s.log.WarnContext(ctx, "the devices of an account are still known after a new password", "user_id", userID, "error", err.Error())
	}
	s.remember(ctx, userID, by)
	s.log.InfoContext(ctx, "changed the password", "user_id", userID, "session_id", login.FamilyID, "address", by.Address())
	u, err := s.store.User(ctx, userID)
	if err != nil {
		return Session{}, err
	}
	return s.session(u, login.FamilyID, token, now)
}

// recordRevoked makes the events of API tokens that a new password has revoked.
func (s *Service) recordRevoked(ctx context.Context, tx publish.Tx, userID string, ids []string, by Client, at time.Time) error {
	for _, id := range ids {
		record, _ := s.recorder(ctx, publish.AccountChange{Type: events.AccountTokenRevoked, SessionID: id, Actor: userID}, by, at)
		if err := record(tx, userID, nil); err != nil {
			return err
		}
	}
	return nil
}

// confirm checks the password of an account and returns its hash. The error is a *domain.Invalid that names field, ErrNoPassword
// or ErrNoUser.
func (s *Service) confirm(ctx context.Context, userID, field, password string, by Client) (hash string, err error) {
	hash, err = s.store.PasswordHash(ctx, userID)
	if err != nil {
		return "", err
	}
	if hash == "" {
		return "", ErrNoPassword
	}
	ok, err := s.guess(ctx, userID, userID, hash, password, by)
	if err != nil {
		return "", err
	}
	if !ok {
		return "", wrong(field)
	}
	return hash, nil
}

func wrong(field string) error { return invalid(field, "is not the account's password") }

func invalid(field, message string) error {
	return &domain.Invalid{Fields: []domain.FieldError{{Field: field, Message: message}}}
}
