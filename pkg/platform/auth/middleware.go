package auth

import (
	"errors"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/taskwire/taskwire/pkg/platform/httpx"
)

const identityKey = "taskwire.identity"

// retryKeys is the Retry-After when the keys cannot be fetched: the time until the next fetch.
const retryKeys = refetchInterval

// Middleware lets requests with a valid bearer token (RFC 6750) pass. It answers 401 to others, and 503 when a token
// cannot be verified.
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
		case errors.Is(err, ErrEnded), errors.Is(err, ErrDeleted):
			httpx.WriteError(c, &httpx.Error{Code: httpx.CodeUnauthorized, Message: "The session of the access token has ended. Log in again.", Err: err})
		case err != nil:
			httpx.WriteError(c, &httpx.Error{Code: httpx.CodeUnauthorized, Message: "The access token is not valid or has expired.", Err: err})
		default:
			c.Set(identityKey, id)
			c.Next()
		}
	}
}

// UserID returns the caller's id, or "" on a route without Middleware.
func UserID(c *gin.Context) string { return IdentityOf(c).UserID }

// IdentityOf returns the caller, or the zero Identity on a route without Middleware.
func IdentityOf(c *gin.Context) Identity {
	id, _ := c.Value(identityKey).(Identity)
	return id
}
