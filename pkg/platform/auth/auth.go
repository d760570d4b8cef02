// Package auth signs access tokens in the task API and verifies them in every service.
//
// An access token is a JWT (RFC 7519) signed with Ed25519 (RFC 8037), valid for AccessTokenLife. It holds the user's id
// (sub), the user's role and the id of the session (sid), and nothing else about a person. Promises:
//   - Only EdDSA is accepted, for this issuer and audience and with an expiry. "none" and MACs are refused.
//   - Keys are found by kid, the RFC 7638 thumbprint. A new key works at once in every service: a verifier that meets an
//     unknown kid fetches the key set again, at most once every refetchInterval.
//   - The signature of a token is checked once for each fetched key set; its times are checked with each request.
//   - A verifier that has keys works without the task API. One that never had keys returns ErrUnavailable, which says
//     nothing about the token. So does one that does not know yet which sessions have ended.
//   - A token is refused as soon as the process knows that its session has ended or its account was deleted, and has the
//     role that its user has by now (Revocations; package revocation keeps the set up to date). That is asked in memory,
//     with each request and each socket.
//
// When the operator names an OIDC issuer (OIDC, AUTH_ISSUER), every service accepts that issuer's access tokens instead
// of our own, with the same promises. See Issuer.
//
// To rotate our key: append the new key's PEM block to the secret. After ten minutes (maxKeysAge) every verifier has
// it: move the new block to the front. When the last token of the old key has expired, remove the old block. The first
// block signs, and all are published.
package auth

import (
	"context"
	"errors"
	"time"

	"github.com/taskwire/taskwire/pkg/platform/role"
)

const (
	// AccessTokenLife is how long a token is valid. It is long enough that clients refresh rarely, and short enough that
	// what was revoked has to be remembered for minutes only.
	AccessTokenLife = 15 * time.Minute
	issuer          = "taskwire"
	audience        = "taskwire"
	// leeway is the difference that the clocks of two machines may have.
	leeway = 30 * time.Second
)

// The roles that a token can name; see package role.
const (
	RoleUser    = role.User
	RoleAuditor = role.Auditor
)

// ErrInvalid is wrapped by the error of a token that must not be trusted.
var ErrInvalid = errors.New("invalid token")

// ErrUnavailable is wrapped when a token cannot be verified because the keys cannot be fetched.
var ErrUnavailable = errors.New("signing keys unavailable")

// Tokens verifies access tokens. Verifier does it for our own and Issuer for those of an OIDC issuer; New puts a service's
// verifier together.
type Tokens interface {
	// Verify returns an error that wraps ErrInvalid or ErrUnavailable.
	Verify(ctx context.Context, token string) (Identity, error)
	// Ready returns nil when tokens can be verified.
	Ready(ctx context.Context) error
}

// KeySource fetches a set of public keys (JWKS, RFC 7517).
type KeySource func(ctx context.Context) ([]byte, error)

// Identity is the user of a token.
type Identity struct {
	UserID, Role string
	SessionID    string // the session that the access token belongs to; "" for a token of an OIDC issuer
	TokenID      string // of a personal API token
	Scope        string // of a personal API token; "" for an access token, which may do everything
	IssuedAt     time.Time
	ExpiresAt    time.Time
	External     *External // the issuer's user; nil for our own
}

// Expired reports whether the token of the identity has expired, with the same leeway as Verify.
func (id Identity) Expired(now time.Time) bool { return now.After(id.ExpiresAt.Add(leeway)) }
