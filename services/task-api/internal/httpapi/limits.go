package httpapi

import (
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
)

// limits has the rate limits of the public account routes and of the routes that check a password. Each limiter is described
// at its rate in package accounts.
type limits struct{ address, account, accountEverywhere, refresh *accounts.Limiter }

func newLimits(now func() time.Time) limits {
	return limits{
		address:           accounts.NewLimiter(accounts.PerAddress, now),
		account:           accounts.NewLimiter(accounts.PerAccount, now),
		accountEverywhere: accounts.NewLimiter(accounts.PerAccountEverywhere, now),
		refresh:           accounts.NewLimiter(accounts.PerAddressRefresh, now),
	}
}

// attempt counts a request that checks the password of an account, by account and address and by account alone. account is an
// e-mail or a user id. The error is an *accounts.LimitError.
func (l limits) attempt(c *gin.Context, account string) error {
	account = strings.ToLower(strings.TrimSpace(account))
	if err := allow(l.account, httpx.AddressKey(c)+" "+account); err != nil {
		return err
	}
	return allow(l.accountEverywhere, account)
}

// allow counts a request under key. The error is an *accounts.LimitError.
func allow(l *accounts.Limiter, key string) error {
	if wait, ok := l.Allow(key); !ok {
		return &accounts.LimitError{RetryAfter: wait}
	}
	return nil
}
