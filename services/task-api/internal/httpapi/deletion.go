package httpapi

import (
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
)

// freshLogin is how long ago the user of an OIDC issuer may have logged in to delete the account. It is long enough to log
// in and to confirm, and too short for a token that was stolen from a device that stays logged in.
const freshLogin = 5 * time.Minute

// deleteMe handles DELETE /me. When it answers, the account and its log-ins are deleted. The tasks are deleted soon after,
// with their events. The current password is needed; a user of the OIDC issuer, who has none here, must have logged in at
// most freshLogin ago.
func (h *handlers) deleteMe(c *gin.Context) error {
	var body struct {
		Password string `json:"password"`
	}
	if err := allow(h.limits.address, httpx.AddressKey(c)); err != nil {
		return err
	}
	if err := readBody(c, &body); err != nil {
		return err
	}
	if err := h.requireFreshLogin(auth.IdentityOf(c)); err != nil {
		return err
	}
	if err := h.limits.attempt(c, auth.UserID(c)); err != nil {
		return err
	}
	if err := h.Accounts.Delete(c.Request.Context(), auth.UserID(c), body.Password, clientOf(c)); err != nil {
		return err
	}
	c.Status(http.StatusNoContent)
	return nil
}

// requireFreshLogin answers a token of a log-in that is too old with the challenge of RFC 9470, with which a client sends
// the user to the issuer again.
func (h *handlers) requireFreshLogin(id auth.Identity) error {
	if id.External == nil || h.Now().Sub(id.External.LoggedInAt) <= freshLogin {
		return nil
	}
	return &httpx.Error{
		Code:      httpx.CodeUnauthorized,
		Message:   fmt.Sprintf("Log in again: an account is deleted only within %d minutes after a log-in.", int(freshLogin.Minutes())),
		Challenge: fmt.Sprintf(`error="insufficient_user_authentication", error_description="A recent log-in is needed", max_age=%d`, int(freshLogin.Seconds())),
	}
}
