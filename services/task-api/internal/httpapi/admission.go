package httpapi

import (
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
)

// This file decides which requests with a valid access token need a check of the account, and how a server that uses an
// OIDC issuer answers the routes for passwords.

// admit returns nil if the caller has an account. A process may hear some seconds late that an account was deleted, so the
// token alone is not enough. The first request of a user of the OIDC issuer creates the account.
//
// admit does not check a write with one of our own tokens: the write itself finds out under the user's lock.
func (h *handlers) admit(c *gin.Context) error {
	id := auth.IdentityOf(c)
	reads := c.Request.Method == http.MethodGet || c.Request.Method == http.MethodHead
	if id.External == nil && !reads {
		return nil
	}
	return h.Accounts.Admit(c.Request.Context(), id)
}

// noPasswords returns the handler of the log-in and password routes of a server that uses the accounts of an OIDC issuer.
func noPasswords(issuer string) gin.HandlerFunc {
	return httpx.Wrap(func(*gin.Context) error {
		return httpx.Conflict(fmt.Sprintf("This server uses the accounts of %s. Get an access token there.", issuer))
	})
}
