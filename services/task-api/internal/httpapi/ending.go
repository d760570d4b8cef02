package httpapi

import (
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
)

// changePassword handles POST /me/password. All log-ins of the account end, and the answer begins a new one.
func (h *handlers) changePassword(c *gin.Context) error {
	var body struct {
		Current string `json:"current_password"`
		New     string `json:"new_password"`
	}
	if err := allow(h.limits.address, c.ClientIP()); err != nil {
		return err
	}
	if err := httpx.DecodeJSON(c, &body); err != nil {
		return err
	}
	if err := h.limits.attempt(c, auth.UserID(c)); err != nil {
		return err
	}
	s, err := h.Accounts.ChangePassword(c.Request.Context(), auth.UserID(c), body.Current, body.New)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, s)
	return nil
}

// deleteMe handles DELETE /me. With the answer the account is gone; its tasks go with their events in the moments after.
func (h *handlers) deleteMe(c *gin.Context) error {
	var body struct {
		Password string `json:"password"`
	}
	if err := allow(h.limits.address, c.ClientIP()); err != nil {
		return err
	}
	if err := httpx.DecodeJSON(c, &body); err != nil {
		return err
	}
	if err := h.limits.attempt(c, auth.UserID(c)); err != nil {
		return err
	}
	if err := h.Accounts.Delete(c.Request.Context(), auth.UserID(c), body.Password); err != nil {
		return err
	}
	c.Status(http.StatusNoContent)
	return nil
}

// admit lets a user pass who has an account: an access token lives on for minutes after its account was deleted. A user
// of the OIDC issuer gets one with the first request. A write with a token of our own is not asked here: it finds out
// under the user's lock.
func (h *handlers) admit(c *gin.Context) error {
	id := auth.IdentityOf(c)
	if id.External == nil && c.Request.Method != http.MethodGet {
		return nil
	}
	return h.Accounts.Admit(c.Request.Context(), id)
}

// noPasswords answers the routes that need accounts of our own where there are none.
func noPasswords(issuer string) gin.HandlerFunc {
	return httpx.Wrap(func(*gin.Context) error {
		return httpx.Conflict(fmt.Sprintf("Accounts and passwords are those of %s here: get an access token there.", issuer))
	})
}
