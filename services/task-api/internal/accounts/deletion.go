package accounts

import (
	"context"
	"errors"
)

// Delete deletes an account permanently. When it returns, the user and the log-ins do not exist any more. The store's deletion
// worker deletes the account's data soon after. The error is a *domain.Invalid for a wrong password. For an account without a
// password the access token is enough, and password must be empty.
func (s *Service) Delete(ctx context.Context, userID, password string, by Client) error {
	hash, err := s.confirm(ctx, userID, "password", password, by)
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
