package accounts

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// LimitError means that there were too many attempts. RetryAfter is the time until the next one is allowed.
type LimitError struct{ RetryAfter time.Duration }

// Error implements error.
func (e *LimitError) Error() string { return "too many attempts" }

// Rate limits of log-in, registration and other requests with a password. Each replica counts for itself: the additional attempts
// that more replicas allow do not help an attacker.
var (
	// PerAddress is high enough for an office behind one address, and makes guessing over many accounts slow.
	PerAddress = Rate{Burst: 200, Every: 200 * time.Millisecond}
	// PerAccount allows for typing errors. It is counted by account and address, so that a stranger cannot lock the owner
	// out.
	PerAccount = Rate{Burst: 10, Every: 10 * time.Second}
	// PerAccountEverywhere bounds the guesses on one account from many addresses.
	PerAccountEverywhere = Rate{Burst: 100, Every: 30 * time.Second}
	// PerAccountRefresh bounds the refreshes of one account from all addresses. A token is valid for minutes, so even many
	// devices stay far below.
	PerAccountRefresh = Rate{Burst: 60, Every: time.Second}
	// PerAddressRefresh bounds the load by refreshes from one address. A refresh is cheap, and its token cannot be guessed.
	PerAddressRefresh = Rate{Burst: 500, Every: 20 * time.Millisecond}
)

// maxKeys bounds the memory of a limiter to some megabytes.
const maxKeys = 16_384

// Rate is a token bucket: Burst attempts at once, then one in each period Every.
type Rate struct {
	Burst int
	Every time.Duration
}

// Limiter counts by key. When it has maxKeys keys, it forgets those that have their whole burst again. If all are in use, further
// keys share one count. So memory is bounded, and a flood of keys does not bypass the limit. Safe for concurrent use.
type Limiter struct {
	rate   Rate
	now    func() time.Time
	mu     sync.Mutex
	keys   map[string]*rate.Limiter
	shared *rate.Limiter
	swept  time.Time
}

// NewLimiter returns a limiter of that rate for each key.
func NewLimiter(r Rate, now func() time.Time) *Limiter {
	l := &Limiter{rate: r, now: now, keys: map[string]*rate.Limiter{}}
	l.shared = l.bucket()
	return l
}

func (l *Limiter) bucket() *rate.Limiter {
	return rate.NewLimiter(rate.Every(l.rate.Every), l.rate.Burst)
}

// Allow counts an attempt for the key and reports whether it is allowed. If not, it returns the time until the next one is.
func (l *Limiter) Allow(key string) (retryAfter time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	b, known := l.keys[key]
	if !known {
		if len(l.keys) >= maxKeys && now.Sub(l.swept) > l.rate.Every {
			l.sweep(now)
		}
		if len(l.keys) >= maxKeys {
			b = l.shared
		} else {
			b = l.bucket()
			l.keys[key] = b
		}
	}
	if b.AllowN(now, 1) {
		return 0, true
	}
	missing := 1 - b.TokensAt(now)
	return time.Duration(missing * float64(l.rate.Every)), false
}

// sweep forgets the keys that have their whole burst.
func (l *Limiter) sweep(now time.Time) {
	l.swept = now
	for key, b := range l.keys {
		if b.TokensAt(now) >= float64(l.rate.Burst) {
			delete(l.keys, key)
		}
	}
}
