package httpapi

import (
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
)

// deleteMe handles DELETE /me. When it answers, the account and its log-ins are deleted. The tasks are deleted soon after,
// with their events.
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
	if err := h.limits.attempt(c, auth.UserID(c)); err != nil {
		return err
	}
	if err := h.Accounts.Delete(c.Request.Context(), auth.UserID(c), body.Password, clientOf(c)); err != nil {
		return err
	}
	c.Status(http.StatusNoContent)
	return nil
}
