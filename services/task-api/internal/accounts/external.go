package accounts

import (
	"context"
	"errors"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/email"
	"github.com/taskwire/taskwire/services/task-api/internal/publish"
)

// Admit returns nil if the caller has an account, and ErrNoUser otherwise. It creates an account for a user of the OIDC issuer: an
// account without a password, with the valid values of the token. It does so only if the token is newer than the deletion of the
// user's earlier account.
func (s *Service) Admit(ctx context.Context, id auth.Identity) error {
	there, err := s.store.Exists(ctx, id.UserID)
	if err != nil || there {
		return err
	}
	if id.External == nil {
		return ErrNoUser
	}
	now := s.instant()
	record, _ := s.recorder(ctx, publish.AccountChange{Type: events.AccountRegistered, Actor: id.UserID}, Client{}, now)
	err = s.store.Provision(ctx, externalUser(id, now), id.External.IssuedAt, record)
	if err == nil {
		s.log.InfoContext(ctx, "made an account for a user of the OIDC issuer", "user_id", id.UserID)
	} else if errors.Is(err, ErrNoUser) {
		s.log.InfoContext(ctx, "refused a token from before its account's deletion", "user_id", id.UserID)
	}
	return err
}

// externalUser returns the account of an issuer's user. It uses those values of the issuer that are valid by our rules.
func externalUser(id auth.Identity, now time.Time) User {
	u := User{ID: id.UserID, Timezone: "UTC", Role: auth.RoleUser, CreatedAt: now}
	if address, problem := email.Canonical(id.External.Email); problem == "" {
		u.Email = address
	}
	if name, problem := domain.Line(id.External.Name, 0, MaxName); problem == "" {
		u.Name = name
	}
	if _, ok := domain.Zone(id.External.Timezone); ok {
		u.Timezone = id.External.Timezone
	}
	return u
}
