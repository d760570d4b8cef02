package httpapi

import (
	"context"
	"errors"
	"time"

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
	VerifierKey(ctx context.Context) (string, error)
	Export(ctx context.Context, userID string, from int64) (*domain.Export, error)
	ProveInclusion(ctx context.Context, userID string, which domain.EntryRef, size int64) (domain.Inclusion, error)
	ProveConsistency(ctx context.Context, from, to int64) (domain.Consistency, error)
}

// retryCheckpoint is the Retry-After while no checkpoint was ever signed: the log is being checked, or the signer is away.
const retryCheckpoint = 5 * time.Second

type handlers struct {
	log   Log
	reads Reads
}

// Register adds the API to engine. authenticated refuses requests without a valid token.
func Register(engine *gin.Engine, log Log, reads Reads, authenticated gin.HandlerFunc) {
	h := handlers{log: log, reads: reads}
	group := engine.Group("/api/v1/audit", authenticated)
	for path, handle := range map[string]func(*gin.Context) error{
		"":                   h.list,
		"/tasks/:id":         h.history,
		"/checkpoint":        h.checkpoint,
		"/key":               h.key,
		"/export":            h.export,
		"/proof/inclusion":   h.inclusion,
		"/proof/consistency": h.consistency,
	} {
		httpx.GET(group, path, httpx.Wrap(func(c *gin.Context) error { return withStatus(handle(c)) }))
	}
}

// withStatus gives the domain's errors their status. It returns other errors unchanged.
func withStatus(err error) error {
	var size *domain.SizeError
	var reads *domain.TooManyReadsError
	switch {
	case errors.As(err, &size):
		return httpx.Unprocessable(size.Field, size.Reason)
	case errors.As(err, &reads):
		return httpx.TooManyRequests("Each of your reads is recorded in the log, and there were too many different ones. Wait a little.", reads.Wait)
	case errors.Is(err, domain.ErrNoCheckpoint):
		return httpx.Unavailable("The audit log has no signed checkpoint yet. Try again.", retryCheckpoint, err)
	case errors.Is(err, domain.ErrNotFound):
		return httpx.NotFound("There is no such audit entry.")
	}
	return err
}

// scope returns the user whose entries the caller may see: itself, or "" (all users) for an auditor.
func scope(c *gin.Context) string {
	id := auth.IdentityOf(c)
	if id.Role == auth.RoleAuditor {
		return ""
	}
	return id.UserID
}
