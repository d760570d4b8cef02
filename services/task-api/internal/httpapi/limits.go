package httpapi

import (
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
)

// limits are the rate limits of the routes that anybody may call, and of those that take a password.
type limits struct{ address, account, accountEverywhere, refresh *accounts.Limiter }

func newLimits(now func() time.Time) limits {
	return limits{
		address:           accounts.NewLimiter(accounts.PerAddress, now),
		account:           accounts.NewLimiter(accounts.PerAccount, now),
		accountEverywhere: accounts.NewLimiter(accounts.PerAccountEverywhere, now),
		refresh:           accounts.NewLimiter(accounts.PerAddressRefresh, now),
	}
}

// attempt counts a guess at the password of an account, which is an e-mail or a user's id.
func (l limits) attempt(c *gin.Context, account string) error {
	account = strings.ToLower(strings.TrimSpace(account))
	if err := allow(l.account, c.ClientIP()+" "+account); err != nil {
		return err
	}
	return allow(l.accountEverywhere, account)
}

func allow(l *accounts.Limiter, key string) error {
	if wait, ok := l.Allow(key); !ok {
		return &accounts.LimitError{RetryAfter: wait}
	}
	return nil
}
