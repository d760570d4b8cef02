package httpapi

import (
	"context"
	"net/url"

	"github.com/gin-gonic/gin"

	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/services/audit/internal/domain"
)

// Reads is the part of the domain that records what auditors read.
type Reads interface {
	Record(ctx context.Context, read domain.Read) error
}

// record records a read of entries of a user, "" for all users. A read of the caller's own entries
// is not recorded. It is called before the answer is sent: when the read cannot be recorded, the caller gets no entry.
func (h handlers) record(c *gin.Context, owner string) error {
	id := auth.IdentityOf(c)
	if id.Role != auth.RoleAuditor || owner == id.UserID {
		return nil
	}
	return h.reads.Record(c.Request.Context(), domain.Read{
		Reader: id.UserID, Session: id.SessionID, Token: id.TokenID, Address: httpx.ClientAddress(c).String(),
		Route: c.Request.URL.Path, Filter: filterOf(c.Request.URL.Query()),
	})
}

// filterOf returns the query in a fixed order, without what only selects a page.
func filterOf(query url.Values) string {
	for _, page := range []string{"cursor", "limit"} {
		query.Del(page)
	}
	return query.Encode()
}
