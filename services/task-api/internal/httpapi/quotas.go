package httpapi

import (
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"golang.org/x/time/rate"
)

// This file bounds how much one account may write. The number of its tasks is a quota of package tasks.

const (
	// DefaultWrites is how many writes an account may make in a minute, and at once after a pause. It is far above what a
	// person and a script of theirs write, and one account cannot take the database from the others with it.
	DefaultWrites = 6_000
	// DefaultImports is how many imports an account may start in an hour. Each may have a file of maxImport.
	DefaultImports = 60
	// maxCounted bounds the accounts that are counted, to some megabytes. The account that wrote least recently is forgotten,
	// and begins with a full quota when it comes back.
	maxCounted = 16_384
)

// Quotas are the limits of one account. 0 means that there is no limit. Each replica counts for itself.
type Quotas struct {
	Writes  int // in a minute
	Imports int // in an hour
}

// quota counts what each account did within a period. It is safe for concurrent use.
type quota struct {
	max      int
	period   time.Duration
	what     string // names what is counted, as in "writes in a minute"
	now      func() time.Time
	accounts *lru.Cache[string, *rate.Limiter]
}

// newQuota returns a quota, or nil if max is 0.
func newQuota(maximum int, period time.Duration, what string, now func() time.Time) *quota {
	if maximum <= 0 {
		return nil
	}
	cache, err := lru.New[string, *rate.Limiter](maxCounted)
	if err != nil { // only for a size below 1
		panic(err)
	}
	return &quota{max: maximum, period: period, what: what, now: now, accounts: cache}
}

// take counts n for the account. If the account has no n left, it counts nothing and returns a 429 that says when it has. A nil
// quota allows everything.
func (q *quota) take(userID string, n int) error {
	if q == nil {
		return nil
	}
	fresh := rate.NewLimiter(rate.Limit(float64(q.max)/q.period.Seconds()), q.max)
	bucket, known, _ := q.accounts.PeekOrAdd(userID, fresh)
	if !known {
		bucket = fresh
	}
	q.accounts.Get(userID) // marks the account as used
	n = min(n, q.max)      // a single request of more is allowed after a whole period
	now := q.now()
	if bucket.AllowN(now, n) {
		return nil
	}
	missing := float64(n) - bucket.TokensAt(now)
	wait := time.Duration(missing / float64(q.max) * float64(q.period))
	return httpx.TooManyRequests(fmt.Sprintf("Your account may make %d %s. Wait and try again.", q.max, q.what), wait)
}

// countWrite counts a request that is not a read as one write. A batch counts its other operations by itself.
func (h *handlers) countWrite(c *gin.Context) error {
	switch c.Request.Method {
	case http.MethodGet, http.MethodHead:
		return nil
	}
	return h.writes.take(auth.UserID(c), 1)
}
