package httpapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/services/notification/internal/domain"
)

// Mailbox is the part of the domain that the API calls.
type Mailbox interface {
	List(ctx context.Context, f domain.Filter) (domain.Page, error)
	Read(ctx context.Context, userID, id string) (domain.Notification, error)
	SnoozeFor(ctx context.Context, userID, id string, minutes int64) (domain.Notification, error)
	SnoozeUntil(ctx context.Context, userID, id string, until time.Time) (domain.Notification, error)
	Deliveries(ctx context.Context, userID, id string) ([]domain.Delivery, error)
	Preferences(ctx context.Context, userID string) (domain.Preferences, error)
	SavePreferences(ctx context.Context, userID string, p domain.Preferences) error
}

type handlers struct{ mailbox Mailbox }

// Register adds the API to engine. authenticated refuses requests without a valid token.
func Register(engine *gin.Engine, mailbox Mailbox, authenticated gin.HandlerFunc) {
	h := handlers{mailbox: mailbox}
	group := engine.Group("/api/v1", authenticated)
	for _, r := range []struct {
		method, path string
		handle       func(*gin.Context) error
	}{
		{http.MethodGet, "/notifications", h.list},
		{http.MethodPost, "/notifications/:id/read", h.read},
		{http.MethodPost, "/notifications/:id/snooze", h.snooze},
		{http.MethodGet, "/notifications/:id/deliveries", h.deliveries},
		{http.MethodGet, "/preferences", h.preferences},
		{http.MethodPut, "/preferences", h.savePreferences},
	} {
		httpx.Handle(group, r.method, r.path, httpx.Wrap(func(c *gin.Context) error { return withStatus(r.handle(c)) }))
	}
}

// withStatus gives the domain's errors their status. It returns other errors unchanged.
func withStatus(err error) error {
	var field *domain.FieldError
	switch {
	case errors.As(err, &field):
		return httpx.Unprocessable(field.Field, field.Reason)
	case errors.Is(err, domain.ErrNotFound):
		return httpx.NotFound("There is no such notification.")
	case errors.Is(err, domain.ErrTaskDone):
		return httpx.Conflict("The task is completed, deleted or has no reminder any more.")
	}
	return err
}
