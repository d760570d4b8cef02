package auth

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

// Verifier verifies our own access tokens. It is safe for concurrent use.
type Verifier struct{ *keyCache[ed25519.PublicKey] }

// NewVerifier makes a verifier that gets the key set with fetch. It fetches nothing yet.
func NewVerifier(fetch KeySource, log *slog.Logger) *Verifier {
	return &Verifier{newKeyCache(func(ctx context.Context) (map[string]ed25519.PublicKey, error) { return ownKeys(ctx, fetch) }, log)}
}

// Verify checks a token. Its error wraps ErrInvalid or ErrUnavailable.
func (v *Verifier) Verify(ctx context.Context, token string) (Identity, error) {
	return v.once(token, func() (Identity, error) { return v.check(ctx, token) })
}

func (v *Verifier) check(ctx context.Context, token string) (Identity, error) {
	var c claims
	parser := jwt.NewParser(jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg()}), jwt.WithIssuer(issuer), jwt.WithAudience(audience),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(leeway), jwt.WithTimeFunc(v.now))
	_, err := parser.ParseWithClaims(token, &c, func(t *jwt.Token) (any, error) {
		kid, _ := t.Header["kid"].(string)
		return v.key(ctx, kid)
	})
	if err != nil {
		if errors.Is(err, ErrUnavailable) {
			return Identity{}, err
		}
		return Identity{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if _, err := uuid.Parse(c.Subject); err != nil || len(c.Subject) != 36 {
		return Identity{}, fmt.Errorf("%w: its subject is not a user id", ErrInvalid)
	}
	if _, err := uuid.Parse(c.SessionID); err != nil { // without it nothing could end the token before it expires
		return Identity{}, fmt.Errorf("%w: it names no session", ErrInvalid)
	}
	id := Identity{UserID: c.Subject, Role: c.Role, SessionID: c.SessionID, ExpiresAt: c.ExpiresAt.Time}
	if c.IssuedAt != nil {
		id.IssuedAt = c.IssuedAt.Time
	}
	return id, nil
}

// ownKeys fetches our public keys. Only Ed25519 keys are used.
func ownKeys(ctx context.Context, fetch KeySource) (map[string]ed25519.PublicKey, error) {
	raw, err := fetch(ctx)
	if err != nil {
		return nil, fmt.Errorf("fetch the key set: %w", err)
	}
	all, err := parseKeySet(raw)
	if err != nil {
		return nil, err
	}
	keys := map[string]ed25519.PublicKey{}
	for kid, key := range all {
		if key, ok := key.PublicKey.(ed25519.PublicKey); ok {
			keys[kid] = key
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("the key set has no Ed25519 key")
	}
	return keys, nil
}
