package auth

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

const (
	// refetchInterval is the least time between two fetches: a client that makes up kids cannot make us hammer the
	// task API with them.
	refetchInterval = 5 * time.Second
	// maxKeysAge is when the key set is fetched anew although every kid is known, so that a key that was taken out
	// stops working.
	maxKeysAge = 10 * time.Minute
	// fetchTimeout bounds one fetch, which requests wait for.
	fetchTimeout = 3 * time.Second
)

// Verifier checks access tokens. It is safe for concurrent use.
type Verifier struct {
	fetch func(ctx context.Context) ([]byte, error)
	log   *slog.Logger
	now   func() time.Time

	mu      sync.RWMutex
	keys    map[string]ed25519.PublicKey
	fetched time.Time // of the keys

	refetch sync.Mutex // one fetch at a time; who waited looks at the keys again
	tried   time.Time  // the last fetch, whatever came of it
	lastErr error
}

// NewVerifier makes a verifier that gets the key set with fetch. It fetches nothing yet.
func NewVerifier(fetch func(ctx context.Context) ([]byte, error), log *slog.Logger) *Verifier {
	return &Verifier{fetch: fetch, log: log, now: time.Now}
}

// Ready tells whether tokens can be judged, and fetches the keys if they were never had.
func (v *Verifier) Ready(ctx context.Context) error {
	if keys, _ := v.cached(); keys != nil {
		return nil
	}
	return v.refresh(ctx, v.now())
}

// Verify checks a token. Its error wraps ErrInvalid or ErrUnavailable.
func (v *Verifier) Verify(ctx context.Context, token string) (Identity, error) {
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
	return Identity{UserID: c.Subject, Role: c.Role, ExpiresAt: c.ExpiresAt.Time}, nil
}

func (v *Verifier) cached() (keys map[string]ed25519.PublicKey, fetched time.Time) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.keys, v.fetched
}

// key finds a public key, and fetches the set again where the kid is unknown or the set is old.
func (v *Verifier) key(ctx context.Context, kid string) (ed25519.PublicKey, error) {
	now := v.now()
	keys, fetched := v.cached()
	key, known := keys[kid]
	if known && now.Sub(fetched) < maxKeysAge {
		return key, nil
	}
	err := v.refresh(ctx, now)
	if keys, _ = v.cached(); keys == nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	if key, known = keys[kid]; !known {
		return nil, fmt.Errorf("unknown key %q", kid)
	}
	return key, nil // an old set is better than none: the task API may be away for longer than the set is fresh
}

// refresh fetches the key set, unless that was tried less than refetchInterval ago.
func (v *Verifier) refresh(ctx context.Context, now time.Time) error {
	v.refetch.Lock()
	defer v.refetch.Unlock()
	if !v.tried.IsZero() && now.Sub(v.tried) < refetchInterval {
		return v.lastErr
	}
	v.tried = now
	// Many requests may wait for this fetch: the one that makes it must not take it away from them when it ends.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
	defer cancel()
	keys, err := v.load(ctx)
	v.lastErr = err
	if err != nil {
		v.log.WarnContext(ctx, "the token keys could not be fetched", "error", err.Error())
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.keys, v.fetched = keys, now
	return nil
}

func (v *Verifier) load(ctx context.Context) (map[string]ed25519.PublicKey, error) {
	raw, err := v.fetch(ctx)
	if err != nil {
		return nil, fmt.Errorf("fetch the key set: %w", err)
	}
	var set jwks
	if err := json.Unmarshal(raw, &set); err != nil {
		return nil, fmt.Errorf("the key set is not JSON: %w", err)
	}
	keys := map[string]ed25519.PublicKey{}
	for _, k := range set.Keys {
		x, err := base64.RawURLEncoding.DecodeString(k.X)
		if k.Kty != "OKP" || k.Crv != "Ed25519" || err != nil || len(x) != ed25519.PublicKeySize {
			continue // a key of another kind is not ours to use
		}
		keys[k.Kid] = x
	}
	if len(keys) == 0 {
		return nil, errors.New("the key set has no Ed25519 key")
	}
	return keys, nil
}
