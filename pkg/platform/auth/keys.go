package auth

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

const (
	// refetchInterval is the least time between two fetches: a client that makes up kids cannot make us hammer the
	// task API or the issuer with them.
	refetchInterval = 5 * time.Second
	// firstInterval stands for it until there are keys: nobody can sign in before, and at the start of a stack who
	// publishes them comes up a moment later.
	firstInterval = 500 * time.Millisecond
	// maxKeysAge is when the key set is fetched anew although every kid is known, so that a key that was taken out
	// stops working.
	maxKeysAge = 10 * time.Minute
	// fetchTimeout bounds one fetch, which requests wait for.
	fetchTimeout = 3 * time.Second
)

// keyCache holds the public keys that tokens are checked with, by kid. It is safe for concurrent use.
type keyCache[K any] struct {
	fetch func(ctx context.Context) (map[string]K, error)
	log   *slog.Logger
	now   func() time.Time

	mu  sync.RWMutex
	set *keySet[K] // nil before the first fetch

	refetch sync.Mutex // one fetch at a time; who waited looks at the keys again
	tried   time.Time  // the last fetch, whatever came of it
	lastErr error
}

// keySet is what one fetch gave, and the tokens that were found good with it.
type keySet[K any] struct {
	keys    map[string]K
	fetched time.Time
	seen    *seen
}

func newKeyCache[K any](fetch func(ctx context.Context) (map[string]K, error), log *slog.Logger) *keyCache[K] {
	return &keyCache[K]{fetch: fetch, log: log, now: time.Now}
}

// Ready tells whether tokens can be judged, and fetches the keys if they were never had.
func (v *keyCache[K]) Ready(ctx context.Context) error {
	if v.cached() != nil {
		return nil
	}
	return v.refresh(ctx, v.now())
}

func (v *keyCache[K]) cached() *keySet[K] {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.set
}

// key finds a public key, and fetches the set again where the kid is unknown or the set is old.
func (v *keyCache[K]) key(ctx context.Context, kid string) (K, error) {
	var none K
	now := v.now()
	if set := v.cached(); set != nil && now.Sub(set.fetched) < maxKeysAge {
		if key, known := set.keys[kid]; known {
			return key, nil
		}
	}
	err := v.refresh(ctx, now)
	set := v.cached()
	if set == nil {
		return none, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	key, known := set.keys[kid]
	switch {
	case !known && err != nil: // it may be a new key, made while who publishes it was away
		return none, fmt.Errorf("%w: unknown key %q: %w", ErrUnavailable, kid, err)
	case !known:
		return none, fmt.Errorf("unknown key %q", kid)
	}
	return key, nil // an old set is better than none: who publishes it may be away for longer than it is fresh
}

// refresh fetches the key set, unless that was tried a moment ago.
func (v *keyCache[K]) refresh(ctx context.Context, now time.Time) error {
	v.refetch.Lock()
	defer v.refetch.Unlock()
	interval := refetchInterval
	if v.cached() == nil {
		interval = firstInterval
	}
	if !v.tried.IsZero() && now.Sub(v.tried) < interval {
		return v.lastErr
	}
	v.tried = now
	// Many requests may wait for this fetch: the one that makes it must not take it away from them when it ends.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
	defer cancel()
	keys, err := v.fetch(ctx)
	v.lastErr = err
	if err != nil {
		v.log.WarnContext(ctx, "the token keys could not be fetched", "error", err.Error())
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.set = &keySet[K]{keys, now, newSeen()}
	return nil
}
