package service

import (
	"context"
	"time"

	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/pkg/platform/revocation"
)

// This file has what a service with a public side needs to know who calls it.

// AccessConfig says where a service learns which tokens are valid.
type AccessConfig struct {
	Keys        auth.KeySource    // the public keys of our own access tokens
	Revocations revocation.Source // what was revoked; nil: asked of the task API
	Personal    auth.Tokens       // verifies personal API tokens; nil: the service accepts none
}

// Access verifies tokens and knows which sessions have ended. Each process has its own.
type Access struct {
	Tokens      auth.Tokens // of the OIDC issuer when AUTH_ISSUER names one, otherwise our own
	Revocations *auth.Revocations
	feed        *revocation.Feed
}

// Access makes the service's access. Run it. Call Access before PublicEngine and DaprSide: /readyz gets the part "sessions", and
// the Dapr side takes the account events that come to every process.
func (s *Service) Access(cfg AccessConfig) *Access {
	if s.built {
		panic("service: make the access before PublicEngine and DaprSide")
	}
	if cfg.Revocations == nil {
		cfg.Revocations = revocation.TaskAPI(s.Sidecar)
	}
	set := auth.NewRevocations(time.Now)
	s.access = &Access{
		Revocations: set,
		feed:        revocation.New(set, cfg.Revocations, s.Log, s.Metrics, time.Now),
		Tokens: auth.New(auth.Config{
			OIDC: auth.OIDC{Issuer: s.cfg.AuthIssuer, Audience: s.cfg.AuthAudience, RoleClaim: s.cfg.AuthRoleClaim},
			Keys: cfg.Keys, Personal: cfg.Personal, Revocations: set, Log: s.Log,
		}),
	}
	return s.access
}

// Run keeps what is known of ended sessions up to date until ctx ends. It returns nil.
func (a *Access) Run(ctx context.Context) error { return a.feed.Run(ctx) }
