package accounts

import (
	"context"
	"errors"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/services/task-api/internal/publish"
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
	now := s.instant()
	record, _ := s.recorder(ctx, publish.AccountChange{Type: events.AccountDeleted, Actor: userID}, by, now)
	err = s.store.DeleteUser(ctx, userID, hash, now, record)
	if errors.Is(err, ErrWrong) {
		return wrong("password")
	}
	if err == nil {
		s.revoked(Revocation{Kind: RevokedUser, ID: userID, UserID: userID, At: now})
		s.log.InfoContext(ctx, "deleted the account", "user_id", userID, "address", by.Address())
	}
	return err
}
