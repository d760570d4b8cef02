package httpapi

import (
	"context"

	"github.com/gin-gonic/gin"

	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/services/audit/internal/domain"
)

// Log is the part of the domain that the API calls.
type Log interface {
	List(ctx context.Context, f domain.Filter) (domain.Page, error)
	History(ctx context.Context, f domain.HistoryFilter) (domain.Page, error)
	Checkpoint(ctx context.Context) ([]byte, error)
	VerifierKey() string
	ProveInclusion(ctx context.Context, userID string, which domain.Which, size int64) (domain.Inclusion, error)
	ProveConsistency(ctx context.Context, from, to int64) (domain.Consistency, error)
}

// roleAuditor is the token role that may read everybody's entries.
const roleAuditor = "auditor"

type handler struct{ log Log }

// Routes adds the API to engine. authenticated refuses requests without a valid token.
func Routes(engine *gin.Engine, log Log, authenticated gin.HandlerFunc) {
	h := handler{log: log}
	g := engine.Group("/api/v1/audit", authenticated)
	g.GET("", httpx.Wrap(h.list))
	g.GET("/tasks/:id", httpx.Wrap(h.history))
	g.GET("/checkpoint", httpx.Wrap(h.checkpoint))
	g.GET("/key", httpx.Wrap(h.key))
	g.GET("/proof/inclusion", httpx.Wrap(h.inclusion))
	g.GET("/proof/consistency", httpx.Wrap(h.consistency))
}

// scope is whose entries the caller may see: its own, or everybody's ("") for an auditor.
func scope(c *gin.Context) string {
	id := auth.IdentityOf(c)
	if id.Role == roleAuditor {
		return ""
	}
	return id.UserID
}
