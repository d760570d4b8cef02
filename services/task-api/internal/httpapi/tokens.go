package httpapi

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/services/task-api/internal/tokens"
)

// listTokens handles GET /me/tokens. An account has at most tokens.MaxTokens, so there is one page.
func (h *handlers) listTokens(c *gin.Context) error {
	if err := httpx.NoQuery(c); err != nil {
		return err
	}
	list, err := h.Tokens.List(c.Request.Context(), auth.UserID(c))
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, gin.H{"items": list, "next_cursor": ""})
	return nil
}

// createToken handles POST /me/tokens. Only this answer has the text of the token, so it cannot be repeated: an Idempotency-Key is
// refused. A request that is repeated finds the name taken.
func (h *handlers) createToken(c *gin.Context) error {
	var body struct {
		Name      string   `json:"name"`
		Scopes    []string `json:"scopes"`
		ExpiresAt *string  `json:"expires_at"`
	}
	if err := httpx.NoQuery(c); err != nil {
		return err
	}
	if c.GetHeader("Idempotency-Key") != "" {
		return httpx.Invalid("Idempotency-Key", "cannot be used here: the token is shown once, and is not stored")
	}
	if err := readBody(c, &body); err != nil {
		return err
	}
	if err := required("name", body.Name); err != nil {
		return err
	}
	r := tokens.Request{Name: body.Name, Scopes: body.Scopes}
	if body.ExpiresAt != nil {
		at, err := time.Parse(time.RFC3339, *body.ExpiresAt)
		if err != nil {
			return httpx.Unprocessable("expires_at", "must be a time such as 2030-01-31T00:00:00Z")
		}
		r.ExpiresAt = &at
	}
	made, err := h.Tokens.Create(c.Request.Context(), auth.UserID(c), r, clientOf(c))
	if err != nil {
		return err
	}
	c.Header("Cache-Control", "no-store")
	c.JSON(http.StatusCreated, made)
	return nil
}

// revokeToken handles DELETE /me/tokens/:id. The token of another user and one that never was have the same answer, 404.
func (h *handlers) revokeToken(c *gin.Context) error {
	q := httpx.NewQuery(c)
	id := q.PathUUID("id")
	if err := q.Err(); err != nil {
		return err
	}
	if err := h.Tokens.Revoke(c.Request.Context(), auth.UserID(c), id, clientOf(c)); err != nil {
		return err
	}
	c.Status(http.StatusNoContent)
	return nil
}

// revokeTokens handles DELETE /me/tokens.
func (h *handlers) revokeTokens(c *gin.Context) error {
	if err := httpx.NoQuery(c); err != nil {
		return err
	}
	if err := h.Tokens.RevokeAll(c.Request.Context(), auth.UserID(c), clientOf(c)); err != nil {
		return err
	}
	c.Status(http.StatusNoContent)
	return nil
}

// requireLogin lets only the holder of a session pass: a script's token must not become another token or another password.
func requireLogin(c *gin.Context) error {
	if auth.IdentityOf(c).TokenID == "" {
		return nil
	}
	return &httpx.Error{Code: httpx.CodeForbidden, Message: "An API token does not reach the account itself. Log in."}
}
