package auth

import (
	"crypto/sha256"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// maxVerified bounds the remembered tokens: 20,000 tokens, about 5 MB, are the users of many minutes.
const maxVerified = 20_000

// tokenHash is the SHA-256 of a token.
type tokenHash = [sha256.Size]byte

// verifiedTokens remembers tokens whose signature was verified, so that it is verified once and not with each request.
// It belongs to one fetched key set and is dropped with it: tokens of a removed key are then verified again. When it is
// full the token that was not used for longest is forgotten. It is safe for concurrent use.
type verifiedTokens struct {
	cache *lru.Cache[tokenHash, verifiedToken]
}

type verifiedToken struct {
	id Identity
	at time.Time // before it, a clock that was set back could make the token too early
}

func newVerifiedTokens() *verifiedTokens {
	cache, err := lru.New[tokenHash, verifiedToken](maxVerified)
	if err != nil { // only for a size below 1
		panic(err)
	}
	return &verifiedTokens{cache}
}

// find returns the identity of a remembered token that has not expired at now. The leeway after the expiry is not
// applied here: the full check does that.
func (v *verifiedTokens) find(hash tokenHash, now time.Time) (Identity, bool) {
	t, ok := v.cache.Get(hash)
	if !ok || now.Before(t.at) || !now.Before(t.id.ExpiresAt) {
		return Identity{}, false
	}
	return t.id, true
}

func (v *verifiedTokens) add(hash tokenHash, id Identity, now time.Time) {
	v.cache.Add(hash, verifiedToken{id, now})
}

// once returns the result of check, and remembers it when it is good. It does not call check for a remembered token.
// Nothing is remembered for longer than maxKeysAge after the keys were fetched: then check fetches them again.
func (c *keyCache[K]) once(token string, check func() (Identity, error)) (Identity, error) {
	now := c.now()
	set := c.cached()
	if set == nil || now.Sub(set.fetched) >= maxKeysAge {
		return check()
	}
	hash := sha256.Sum256([]byte(token))
	if id, ok := set.verified.find(hash, now); ok {
		return id, nil
	}
	id, err := check()
	if err == nil {
		set.verified.add(hash, id, now)
	}
	return id, err
}
