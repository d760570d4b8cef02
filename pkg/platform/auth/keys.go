package auth

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

const (
	// refetchInterval is the least time between two fetches. It protects the task API and the issuer from clients that
	// invent kids.
	refetchInterval = 5 * time.Second
	// firstInterval replaces it until the first key set is there: nobody can sign in before, and when the whole stack
	// starts the publisher comes up a moment later.
	firstInterval = 500 * time.Millisecond
	// maxKeysAge is when the key set is fetched again even when every kid is known, so that a removed key stops working.
	maxKeysAge = 10 * time.Minute
	// fetchTimeout bounds one fetch. Requests wait for it.
	fetchTimeout = 3 * time.Second
)

// keyCache holds the public keys that tokens are verified with, by kid. It is safe for concurrent use.
//
// A library is not used here: those that keep a key set fetch it by URL from a goroutine of their own, while ours comes
// through the sidecar and on demand; and none drops the verified tokens together with the key set (docs/adr).
type keyCache[K any] struct {
	fetch func(ctx context.Context) (map[string]K, error)
	log   *slog.Logger
	now   func() time.Time

	mu  sync.RWMutex
	set *keySet[K] // nil before the first successful fetch

	refetch sync.Mutex // held during a fetch; requests that waited for it look at the keys again
	tried   time.Time  // the time of the last fetch, successful or not
	lastErr error      // of the last fetch
}

// keySet is the result of one fetch, with the tokens that were verified with it.
type keySet[K any] struct {
	keys     map[string]K
	fetched  time.Time
	verified *verifiedTokens
}

func newKeyCache[K any](fetch func(ctx context.Context) (map[string]K, error), log *slog.Logger) *keyCache[K] {
	return &keyCache[K]{fetch: fetch, log: log, now: time.Now}
}

// Ready returns nil when there are keys. It fetches them when there never were any.
func (c *keyCache[K]) Ready(ctx context.Context) error {
	if c.cached() != nil {
		return nil
	}
	return c.refresh(ctx, c.now())
}

func (c *keyCache[K]) cached() *keySet[K] {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.set
}

// key returns a public key. It fetches the set again when the kid is unknown or the set is old. A set that is too old is
// still used when the fetch fails: the publisher may be away for longer than maxKeysAge.
func (c *keyCache[K]) key(ctx context.Context, kid string) (K, error) {
	var none K
	now := c.now()
	if set := c.cached(); set != nil && now.Sub(set.fetched) < maxKeysAge {
		if key, known := set.keys[kid]; known {
			return key, nil
		}
	}
	err := c.refresh(ctx, now)
	set := c.cached()
	if set == nil {
		return none, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	key, known := set.keys[kid]
	switch {
	case !known && err != nil: // it may be a new key, made while the publisher was away
		return none, fmt.Errorf("%w: unknown key %q: %w", ErrUnavailable, kid, err)
	case !known:
		return none, fmt.Errorf("unknown key %q", kid)
	}
	return key, nil
}

// refresh fetches the key set, unless the last fetch was too short a time ago.
func (c *keyCache[K]) refresh(ctx context.Context, now time.Time) error {
	c.refetch.Lock()
	defer c.refetch.Unlock()
	interval := refetchInterval
	if c.cached() == nil {
		interval = firstInterval
	}
	if !c.tried.IsZero() && now.Sub(c.tried) < interval {
		return c.lastErr
	}
	c.tried = now
	// Other requests wait for this fetch, so it must not end with the request that makes it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
	defer cancel()
	keys, err := c.fetch(ctx)
	c.lastErr = err
	if err != nil {
		c.log.WarnContext(ctx, "the token keys could not be fetched", "error", err.Error())
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.set = &keySet[K]{keys, now, newVerifiedTokens()}
	return nil
}
