package httpapi

import (
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
)

// changePassword handles POST /me/password. It ends every session of the account and answers with a new one.
func (h *handlers) changePassword(c *gin.Context) error {
	var body struct {
		Current string `json:"current_password"`
		New     string `json:"new_password"`
		Cookie  *bool  `json:"cookie"`
	}
	if err := allow(h.limits.address, httpx.AddressKey(c)); err != nil {
		return err
	}
	if err := readBody(c, &body); err != nil {
		return err
	}
	inCookie, err := wantsCookie(c, body.Cookie)
	if err != nil {
		return err
	}
	if err := h.limits.attempt(c, auth.UserID(c)); err != nil {
		return err
	}
	s, err := h.Accounts.ChangePassword(c.Request.Context(), auth.UserID(c), body.Current, body.New, clientOf(c))
	if err != nil {
		return err
	}
	answerSession(c, http.StatusOK, s, inCookie)
	return nil
}
