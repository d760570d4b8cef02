package accounts

import (
	"context"
	"errors"

	"github.com/taskwire/taskwire/services/task-api/internal/domain"
)

// ChangePassword takes the current password and sets a new one. It ends every log-in of the account and begins a new
// one, whose tokens it returns. A current password that is wrong is a *domain.Invalid; an account without one is
// ErrNoPassword.
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
	if errors.Is(err, ErrWrong) { // it was changed since it was checked
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
	return s.session(u, token, now)
}

// Delete ends an account for good. From then on there is no such user, and no log-in; the account's data follows soon
// (postgres.Store.RunDeletions). A password that is wrong is a *domain.Invalid. An account without a password has none
// to give: its token has to do.
func (s *Service) Delete(ctx context.Context, userID, password string) error {
	hash, err := s.confirm(ctx, userID, "password", password)
	if errors.Is(err, ErrNoPassword) {
		if password != "" {
			return invalid("password", "must be left out: the account has none")
		}
	} else if err != nil {
		return err
	}
	err = s.store.DeleteUser(ctx, userID, hash, s.now())
	if errors.Is(err, ErrWrong) {
		return wrong("password")
	}
	if err == nil {
		s.log.InfoContext(ctx, "deleted the account", "user_id", userID)
	}
	return err
}

// confirm checks the password of an account and returns its hash.
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
