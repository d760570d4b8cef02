package accounts

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// LimitError says that an account did something too often, and when it may do it again.
type LimitError struct{ RetryAfter time.Duration }

// Error implements error.
func (e *LimitError) Error() string { return "too many attempts" }

// Rate limits of log-in, registration and what else takes a password. They are counted by each replica for itself: that a replica more lets some
// more attempts through does not change what an attacker can do.
var (
	// PerAddress lets an office behind one address log in, and makes guessing over many accounts slow.
	PerAddress = Rate{Burst: 200, Every: 200 * time.Millisecond}
	// PerAccount lets a person mistype, from one address; another address has another count, so that a stranger
	// cannot lock the owner out.
	PerAccount = Rate{Burst: 10, Every: 10 * time.Second}
	// PerAccountEverywhere bounds the guesses on one account from many addresses.
	PerAccountEverywhere = Rate{Burst: 100, Every: 30 * time.Second}
	// PerAccountRefresh bounds the refreshing of one account from wherever it is: a token is good for minutes, so that
	// even many devices stay far below.
	PerAccountRefresh = Rate{Burst: 60, Every: time.Second}
	// PerAddressRefresh bounds refreshing, which is cheap and cannot be guessed, where it is used to make load.
	PerAddressRefresh = Rate{Burst: 500, Every: 20 * time.Millisecond}
)

// maxKeys bounds the memory of a limiter: some megabytes.
const maxKeys = 16_384

// Rate is a token bucket: Burst at once, then one Every.
type Rate struct {
	Burst int
	Every time.Duration
}

// Limiter counts by key. When it has too many keys it forgets those that have their whole burst again; when all are in
// use, further keys share one count, so that memory stays bounded and nobody gets past it. Safe for concurrent use.
type Limiter struct {
	rate   Rate
	now    func() time.Time
	mu     sync.Mutex
	keys   map[string]*rate.Limiter
	shared *rate.Limiter
	swept  time.Time
}

// NewLimiter makes a limiter.
func NewLimiter(r Rate, now func() time.Time) *Limiter {
	l := &Limiter{rate: r, now: now, keys: map[string]*rate.Limiter{}}
	l.shared = l.bucket()
	return l
}

func (l *Limiter) bucket() *rate.Limiter {
	return rate.NewLimiter(rate.Every(l.rate.Every), l.rate.Burst)
}

// Allow takes one from the key's count; where there is none left it returns when there will be.
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

// sweep forgets the keys that have nothing to remember.
func (l *Limiter) sweep(now time.Time) {
	l.swept = now
	for key, b := range l.keys {
		if b.TokensAt(now) >= float64(l.rate.Burst) {
			delete(l.keys, key)
		}
	}
}
