package httpapi

import (
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
)

// This file has the routes of the links in mails. Without a mail server they answer 409.

// verifyRoute asks for a mail to verify the e-mail of the account.
const verifyRoute = "/api/v1/me/verify-email"

// requestVerification handles POST /me/verify-email. It answers 202 when the mail is in the queue.
func (h *handlers) requestVerification(c *gin.Context) error {
	if err := allow(h.limits.address, httpx.AddressKey(c)); err != nil {
		return err
	}
	if err := httpx.NoQuery(c); err != nil {
		return err
	}
	if err := h.Accounts.RequestVerification(c.Request.Context(), auth.UserID(c), clientOf(c)); err != nil {
		return err
	}
	c.Status(http.StatusAccepted)
	return nil
}

// verifyEmail handles POST /auth/verify-email. The token is all that is needed: the link may be opened on another device.
func (h *handlers) verifyEmail(c *gin.Context) error {
	var body struct {
		Token string `json:"token"`
	}
	if err := allow(h.limits.address, httpx.AddressKey(c)); err != nil {
		return err
	}
	if err := readBody(c, &body); err != nil {
		return err
	}
	if err := required("token", body.Token); err != nil {
		return err
	}
	u, err := h.Accounts.VerifyEmail(c.Request.Context(), body.Token, clientOf(c))
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, u)
	return nil
}

// recover handles POST /auth/recover. It answers 202 for every e-mail, after the same work, so that it does not reveal whether
// there is an account.
func (h *handlers) recover(c *gin.Context) error {
	var body struct {
		Email string `json:"email"`
	}
	if err := allow(h.limits.address, httpx.AddressKey(c)); err != nil {
		return err
	}
	if err := readBody(c, &body); err != nil {
		return err
	}
	if err := required("email", body.Email); err != nil {
		return err
	}
	if err := h.limits.attempt(c, "recover "+accounts.EmailKey(body.Email)); err != nil {
		return err
	}
	if err := h.Accounts.RequestRecovery(c.Request.Context(), body.Email, clientOf(c)); err != nil {
		return err
	}
	c.Status(http.StatusAccepted)
	return nil
}

// resetPassword handles POST /auth/reset-password. It ends every session of the account and answers with a new one.
func (h *handlers) resetPassword(c *gin.Context) error {
	var body struct {
		Token  string `json:"token"`
		New    string `json:"new_password"`
		Cookie *bool  `json:"cookie"`
	}
	if err := allow(h.limits.address, httpx.AddressKey(c)); err != nil {
		return err
	}
	if err := readBody(c, &body); err != nil {
		return err
	}
	if err := required("token", body.Token, "new_password", body.New); err != nil {
		return err
	}
	inCookie, err := wantsCookie(c, body.Cookie)
	if err != nil {
		return err
	}
	s, err := h.Accounts.ResetPassword(c.Request.Context(), body.Token, body.New, clientOf(c))
	if err != nil {
		return err
	}
	answerSession(c, http.StatusOK, s, inCookie)
	return nil
}
