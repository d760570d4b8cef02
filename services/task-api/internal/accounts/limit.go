package accounts

import (
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// LimitError means that there were too many attempts. RetryAfter is the time until the next one is allowed.
type LimitError struct{ RetryAfter time.Duration }

// Error implements error.
func (e *LimitError) Error() string { return "too many attempts" }

// Rate limits of log-in, registration and other requests with a password. Each replica counts for itself: the additional attempts
// that more replicas allow do not help an attacker. No limit counts the guesses at an account over all addresses: it would let strangers
// lock the owner out. The brake slows such guesses down instead.
var (
	// PerAddress is high enough for an office behind one address, and makes guessing over many accounts slow.
	PerAddress = Rate{Burst: 200, Every: 200 * time.Millisecond}
	// PerAccount allows for typing errors. It is counted by account and address, so that a stranger cannot lock the owner
	// out.
	PerAccount = Rate{Burst: 10, Every: 10 * time.Second}
	// PerAccountRefresh bounds the refreshes of one account from all addresses by tokens of live sessions. A token is valid for
	// minutes, so even many devices stay far below.
	PerAccountRefresh = Rate{Burst: 60, Every: time.Second}
	// PerAddressRefresh bounds the load by refreshes from one address. A refresh is cheap, and its token cannot be guessed.
	PerAddressRefresh = Rate{Burst: 500, Every: 20 * time.Millisecond}
)

const (
	// maxKeys bounds the memory of a limiter to some megabytes.
	maxKeys = 16_384
	// sample is the number of keys of which a full limiter forgets the least used one.
	sample = 16
)

// Rate is a token bucket: Burst attempts at once, then one in each period Every.
type Rate struct {
	Burst int
	Every time.Duration
}

// Limiter counts by key. When it has maxKeys keys, it forgets the least used one of a few. So memory is bounded, a flood of keys
// refuses no newcomer, and the counts that matter, those of keys that are used up, stay. Safe for concurrent use.
type Limiter struct {
	rate Rate
	now  func() time.Time
	mu   sync.Mutex
	keys map[string]*rate.Limiter
}

// NewLimiter returns a limiter of that rate for each key.
func NewLimiter(r Rate, now func() time.Time) *Limiter {
	return &Limiter{rate: r, now: now, keys: map[string]*rate.Limiter{}}
}

// Allow counts an attempt for the key and reports whether it is allowed. If not, it returns the time until the next one is.
func (l *Limiter) Allow(key string) (retryAfter time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	b, known := l.keys[key]
	if !known {
		if len(l.keys) >= maxKeys {
			l.forgetOne(now)
		}
		b = rate.NewLimiter(rate.Every(l.rate.Every), l.rate.Burst)
		l.keys[key] = b
	}
	if b.AllowN(now, 1) {
		return 0, true
	}
	missing := 1 - b.TokensAt(now)
	return time.Duration(missing * float64(l.rate.Every)), false
}

// Used returns how many attempts of the key count now. It is at most the burst.
func (l *Limiter) Used(key string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	b, known := l.keys[key]
	if !known {
		return 0
	}
	return int(math.Ceil(float64(l.rate.Burst) - b.TokensAt(l.now())))
}

// forgetOne forgets the least used of some keys. The order of a map is random, so they are others each time.
func (l *Limiter) forgetOne(now time.Time) {
	var least string
	most, n := -1.0, 0
	for key, b := range l.keys {
		if tokens := b.TokensAt(now); tokens > most {
			least, most = key, tokens
		}
		if n++; n == sample {
			break
		}
	}
	delete(l.keys, least)
}
