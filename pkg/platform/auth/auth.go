// Package auth signs access tokens in the task API and verifies them in every service.
//
// An access token is a JWT (RFC 7519) signed with Ed25519 (RFC 8037), good for AccessTokenLife. It names the user
// (sub), the role and nothing else about a person. It promises:
//   - Only EdDSA is accepted, for this issuer and audience, with an expiry: neither "none" nor a MAC over the public key.
//   - Keys are found by kid, the RFC 7638 thumbprint. A new key works at once everywhere, since a verifier that meets an
//     unknown kid fetches the key set again, at most once every refetchInterval.
//   - The signature of a token is checked once for each fetch of the keys, its times with each request (see seen).
//   - A verifier that has had the keys once goes on without the task API; one that never had them answers
//     ErrUnavailable, which is not a judgement of the token.
//
// Where the operator has named an OIDC issuer (OIDC, AUTH_ISSUER), its access tokens are accepted instead, by every
// service and with the same promises; then ours are good for nothing. See Issuer.
//
// To rotate our key: put the new key's PEM block behind the old one; ten minutes later, when every verifier has it
// (maxKeysAge), in front of it; when the last token of the old one has expired, take that out. The first block signs,
// all are published.
package auth

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

const (
	// AccessTokenLife is how long a token is good: long enough that clients refresh rarely, short enough that a role
	// or a deleted account does not live on for long.
	AccessTokenLife = 15 * time.Minute
	issuer          = "taskwire"
	audience        = "taskwire"
	// leeway is for clocks of two machines that differ.
	leeway = 30 * time.Second
)

// Roles.
const (
	RoleUser    = "user"
	RoleAuditor = "auditor"
)

// ErrInvalid is wrapped when a token is not to be trusted.
var ErrInvalid = errors.New("invalid token")

// ErrUnavailable is wrapped when the keys cannot be had, so that the token cannot be judged.
var ErrUnavailable = errors.New("signing keys unavailable")

// Tokens judges access tokens. A Verifier does for our own, an Issuer for those of an OIDC issuer.
type Tokens interface {
	// Verify returns an error that wraps ErrInvalid or ErrUnavailable.
	Verify(ctx context.Context, token string) (Identity, error)
	// Ready tells whether tokens can be judged.
	Ready(ctx context.Context) error
}

// New is the judge of a service: of the OIDC issuer's tokens where there is one, else of our own, whose keys fetch gets.
func New(oidc OIDC, fetch func(ctx context.Context) ([]byte, error), log *slog.Logger) Tokens {
	if oidc.Issuer != "" {
		return NewIssuer(oidc, log)
	}
	return NewVerifier(fetch, log)
}

// Identity is who a token speaks for, and until when.
type Identity struct {
	UserID, Role string
	ExpiresAt    time.Time
	External     *External // nil: the token is our own
}
