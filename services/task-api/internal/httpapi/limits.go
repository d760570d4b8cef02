package httpapi

import (
	"time"

	"github.com/gin-gonic/gin"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
)

// limits has the rate limits of the public account routes and of the routes that check a password. Each limiter is described
// at its rate in package accounts.
type limits struct{ address, account, refresh *accounts.Limiter }

func newLimits(now func() time.Time) limits {
	return limits{
		address: accounts.NewLimiter(accounts.PerAddress, now),
		account: accounts.NewLimiter(accounts.PerAccount, now),
		refresh: accounts.NewLimiter(accounts.PerAddressRefresh, now),
	}
}

// attempt counts a request that checks the password of an account, by account and address. account is a user id or the key of
// an e-mail. The error is an *accounts.LimitError.
func (l limits) attempt(c *gin.Context, account string) error {
	return allow(l.account, httpx.AddressKey(c)+" "+account)
}

// allow counts a request under key. The error is an *accounts.LimitError.
func allow(l *accounts.Limiter, key string) error {
	if wait, ok := l.Allow(key); !ok {
		return &accounts.LimitError{RetryAfter: wait}
	}
	return nil
}
