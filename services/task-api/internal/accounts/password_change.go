package accounts

import (
	"context"
	"errors"

	"github.com/taskwire/taskwire/services/task-api/internal/domain"
)

// ChangePassword checks the current password and sets a new one. It ends every log-in of the account, starts a new one, and
// returns its tokens. The error is a *domain.Invalid for a wrong current password, or ErrNoPassword for an account without one.
func (s *Service) ChangePassword(ctx context.Context, userID, current, next string) (Session, error) {
	if message := badPassword(next); message != "" {
		return Session{}, invalid("new_password", message)
	}
	old, err := s.confirm(ctx, userID, "current_password", current)
	if err != nil {
		return Session{}, err
	}
	hash, err := s.hasher.Hash(ctx, next)
	if err != nil {
		return Session{}, err
	}
	now := s.now()
	token, login, err := newLogin(userID, hash, now)
	if err != nil {
		return Session{}, err
	}
	err = s.store.ChangePassword(ctx, old, login)
	if errors.Is(err, ErrWrong) { // another request changed it after the check
		return Session{}, wrong("current_password")
	}
	if err != nil {
		return Session{}, err
	}
	s.log.InfoContext(ctx, "changed the password", "user_id", userID)
	u, err := s.store.User(ctx, userID)
	if err != nil {
		return Session{}, err
	}
	return s.session(u, login.FamilyID, token, now)
}

// confirm checks the password of an account and returns its hash. The error is a *domain.Invalid that names field, ErrNoPassword
// or ErrNoUser.
func (s *Service) confirm(ctx context.Context, userID, field, password string) (hash string, err error) {
	hash, err = s.store.PasswordHash(ctx, userID)
	if err != nil {
		return "", err
	}
	if hash == "" {
		return "", ErrNoPassword
	}
	ok, err := s.hasher.Check(ctx, hash, password)
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
