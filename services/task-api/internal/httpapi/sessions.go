package httpapi

import (
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
)

// clientOf returns who sent the request.
func clientOf(c *gin.Context) accounts.Client {
	return accounts.NewClient(httpx.ClientAddress(c), c.Request.UserAgent())
}

// listSessions handles GET /me/sessions. An account has at most accounts.MaxSessions, so there is one page.
func (h *handlers) listSessions(c *gin.Context) error {
	if err := httpx.NoQuery(c); err != nil {
		return err
	}
	id := auth.IdentityOf(c)
	list, err := h.Accounts.Sessions(c.Request.Context(), id.UserID, id.SessionID)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, gin.H{"items": list, "next_cursor": ""})
	return nil
}

// endSession handles DELETE /me/sessions/:id. A session of another user, one that has ended and one that never was have the same
// answer, 404.
func (h *handlers) endSession(c *gin.Context) error {
	q := httpx.NewQuery(c)
	session := q.PathUUID("id")
	if err := q.Err(); err != nil {
		return err
	}
	id := auth.IdentityOf(c)
	if err := h.Accounts.EndSession(c.Request.Context(), id.UserID, id.SessionID, session, clientOf(c)); err != nil {
		return err
	}
	c.Status(http.StatusNoContent)
	return nil
}

// endSessions handles DELETE /me/sessions: it ends every session but the caller's, and with all=true that one too.
func (h *handlers) endSessions(c *gin.Context) error {
	q := httpx.NewQuery(c)
	all := q.Boolean("all")
	if err := q.Err(); err != nil {
		return err
	}
	id := auth.IdentityOf(c)
	except := id.SessionID
	if all != nil && *all {
		except = ""
	}
	if err := h.Accounts.EndSessions(c.Request.Context(), id.UserID, except, clientOf(c)); err != nil {
		return err
	}
	c.Status(http.StatusNoContent)
	return nil
}
