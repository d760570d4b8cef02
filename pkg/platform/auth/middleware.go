package auth

import (
	"errors"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/taskwire/taskwire/pkg/platform/httpx"
)

const identityKey = "taskwire.identity"

// retryKeys is what a client is told to wait when the keys cannot be had: the least time to the next fetch.
const retryKeys = refetchInterval

// Middleware lets only requests with a valid bearer token (RFC 6750) pass: 401 without one, 503 where it cannot be
// judged.
func Middleware(v Tokens) gin.HandlerFunc {
	return func(c *gin.Context) {
		scheme, token, _ := strings.Cut(c.GetHeader("Authorization"), " ")
		if !strings.EqualFold(scheme, "Bearer") || token == "" {
			httpx.WriteError(c, httpx.Unauthorized("An access token is needed: Authorization: Bearer …"))
			return
		}
		id, err := v.Verify(c.Request.Context(), strings.TrimSpace(token))
		switch {
		case errors.Is(err, ErrUnavailable):
			httpx.WriteError(c, httpx.Unavailable("Access tokens cannot be checked at the moment. Try again.", retryKeys, err))
		case err != nil:
			httpx.WriteError(c, &httpx.Error{Code: httpx.CodeUnauthorized, Message: "The access token is not valid or has expired.", Err: err})
		default:
			c.Set(identityKey, id)
			c.Next()
		}
	}
}

// UserID is the caller's id; empty on a route without Middleware.
func UserID(c *gin.Context) string { return IdentityOf(c).UserID }

// IdentityOf is the caller; zero on a route without Middleware.
func IdentityOf(c *gin.Context) Identity {
	id, _ := c.Value(identityKey).(Identity)
	return id
}

// Expired tells whether an identity's token has ended, with the same leeway as Verify.
func (id Identity) Expired(now time.Time) bool { return now.After(id.ExpiresAt.Add(leeway)) }
