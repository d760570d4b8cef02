package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

const (
	// personalFresh is how long a personal API token is used without another look-up. What ends a token takes effect earlier,
	// by the Revocations; the look-up is what keeps the time of its last use.
	personalFresh = time.Minute
	// personalStale is how long what was found is used while look-ups fail, as when the task API restarts. A token that was revoked
	// meanwhile is in the Revocations: personalStale is well below revokedLife, so the token is not used after its entry is gone.
	personalStale = 5 * time.Minute
	// maxPersonal bounds the remembered tokens, and maxUnknown those that do not exist: some megabytes each. They are apart, so
	// that a flood of invented tokens does not displace the real ones.
	maxPersonal, maxUnknown = 20_000, 20_000
	// maxLookups bounds the look-ups at the same time, so that invented tokens cannot take all connections of the task API. A
	// look-up takes about a millisecond.
	maxLookups = 16
	// lookupTimeout bounds a look-up and the wait for it. Requests wait for it.
	lookupTimeout = 3 * time.Second
)

// The scopes of a personal API token. ScopeWrite includes ScopeRead.
const (
	ScopeRead  = "read"
	ScopeWrite = "write"
)

// ErrNoToken is returned by a Lookup for a token that does not exist, or not any more.
var ErrNoToken = errors.New("no such API token")

// PersonalToken is what a Lookup finds.
type PersonalToken struct {
	ID        string    `json:"id"`
	UserID    string    `json:"user_id"`
	Role      string    `json:"role"`  // the user's role now
	Scope     string    `json:"scope"` // ScopeRead or ScopeWrite
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
}

// Lookup finds a token by its hash (HashOf). It returns ErrNoToken if there is none.
type Lookup func(ctx context.Context, hash [sha256.Size]byte) (PersonalToken, error)

// Personal verifies personal API tokens. It looks a token up once in personalFresh, and remembers what it found. While look-ups
// fail, it uses that for personalStale. It is safe for concurrent use.
type Personal struct {
	lookup  Lookup
	now     func() time.Time
	known   *lru.Cache[tokenHash, foundToken]
	unknown *lru.Cache[tokenHash, time.Time]
	slots   chan struct{}
}

type foundToken struct {
	id Identity
	at time.Time
}

// NewPersonal returns a verifier that finds tokens with lookup.
func NewPersonal(lookup Lookup, now func() time.Time) *Personal {
	known, err := lru.New[tokenHash, foundToken](maxPersonal)
	if err != nil { // only for a size below 1
		panic(err)
	}
	unknown, err := lru.New[tokenHash, time.Time](maxUnknown)
	if err != nil {
		panic(err)
	}
	return &Personal{lookup: lookup, now: now, known: known, unknown: unknown, slots: make(chan struct{}, maxLookups)}
}

// Verify implements Tokens.
func (p *Personal) Verify(ctx context.Context, token string) (Identity, error) {
	if !wellFormed(token) {
		return Identity{}, fmt.Errorf("%w: it is not the text of an API token", ErrInvalid)
	}
	hash, now := HashOf(token), p.now()
	if at, ok := p.unknown.Get(hash); ok && fresh(at, now) {
		return Identity{}, fmt.Errorf("%w: %w", ErrInvalid, ErrNoToken)
	}
	found, ok := p.known.Get(hash)
	if !ok || !fresh(found.at, now) {
		old := found
		var err error
		found, err = p.find(ctx, hash, now)
		switch {
		case err == nil:
		case ok && errors.Is(err, ErrUnavailable) && within(old.at, now, personalStale):
			found = old
		default:
			return Identity{}, err
		}
	}
	if !now.Before(found.id.ExpiresAt) { // no leeway: the client's clock has no part in it
		return Identity{}, fmt.Errorf("%w: the API token has expired", ErrInvalid)
	}
	return found.id, nil
}

// fresh reports whether what was found at a time is used without another look-up.
func fresh(at, now time.Time) bool { return within(at, now, personalFresh) }

// within reports whether now is at or after a time, by less than limit.
func within(at, now time.Time, limit time.Duration) bool {
	return !now.Before(at) && now.Sub(at) < limit
}

// find looks a token up and remembers the result.
func (p *Personal) find(ctx context.Context, hash tokenHash, now time.Time) (foundToken, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return foundToken{}, fmt.Errorf("%w: look up an API token: %w", ErrUnavailable, context.Cause(ctx))
	}
	t, err := p.lookup(ctx, hash)
	if errors.Is(err, ErrNoToken) {
		p.known.Remove(hash)
		p.unknown.Add(hash, now)
		return foundToken{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if err != nil {
		return foundToken{}, fmt.Errorf("%w: look up an API token: %w", ErrUnavailable, err)
	}
	if t.Scope != ScopeRead && t.Scope != ScopeWrite { // of a later version, or not the task API's answer: it must not count as write
		return foundToken{}, fmt.Errorf("%w: look up an API token: it has the unknown scope %q", ErrUnavailable, t.Scope)
	}
	found := foundToken{Identity{
		UserID: t.UserID, Role: t.Role, TokenID: t.ID, Scope: t.Scope, IssuedAt: t.CreatedAt, ExpiresAt: t.ExpiresAt,
	}, now}
	p.known.Add(hash, found)
	return found, nil
}

// Ready implements Tokens. A look-up that fails answers its own request with 503.
func (p *Personal) Ready(context.Context) error { return nil }
