package auth

import (
	"context"
	"errors"
	"log/slog"
	"strings"
)

// PersonalPrefix begins every personal API token, and no access token: a JWT begins with the base64 of a JSON object, "ey".
const PersonalPrefix = "twp_"

// Config says which tokens a service accepts.
type Config struct {
	OIDC        OIDC      // with an issuer, its access tokens are accepted instead of our own
	Keys        KeySource // the public keys of our own tokens
	Personal    Tokens    // verifies the tokens with PersonalPrefix; nil: the service accepts none
	Revocations *Revocations
	Log         *slog.Logger
}

// composed verifies each kind of token with its own verifier, and then asks the revocations. A verifier may cache its result:
// what it caches does not outlive a revocation, because that is asked about with each request.
type composed struct {
	access, personal Tokens
	revocations      *Revocations
}

// New makes a service's verifier.
func New(cfg Config) Tokens {
	c := &composed{personal: cfg.Personal, revocations: cfg.Revocations}
	if cfg.OIDC.Issuer != "" {
		c.access = NewIssuer(cfg.OIDC, cfg.Log)
	} else {
		c.access = NewVerifier(cfg.Keys, cfg.Log)
	}
	return c
}

// Verify implements Tokens.
func (c *composed) Verify(ctx context.Context, token string) (Identity, error) {
	verifier := c.access
	if c.personal != nil && strings.HasPrefix(token, PersonalPrefix) {
		verifier = c.personal
	}
	id, err := verifier.Verify(ctx, token)
	if err != nil {
		return Identity{}, err
	}
	return c.revocations.Admit(id)
}

// Ready implements Tokens.
func (c *composed) Ready(ctx context.Context) error {
	errs := []error{c.access.Ready(ctx), c.revocations.Ready(ctx)}
	if c.personal != nil {
		errs = append(errs, c.personal.Ready(ctx))
	}
	return errors.Join(errs...)
}
