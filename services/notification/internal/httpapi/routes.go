package httpapi

import (
	"context"
	"errors"
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

type handler struct{ mailbox Mailbox }

// Routes adds the API to engine. authenticated refuses requests without a valid token.
func Routes(engine *gin.Engine, mailbox Mailbox, authenticated gin.HandlerFunc) {
	h := handler{mailbox: mailbox}
	g := engine.Group("/api/v1", authenticated)
	g.GET("/notifications", httpx.Wrap(h.list))
	g.POST("/notifications/:id/read", httpx.Wrap(h.read))
	g.POST("/notifications/:id/snooze", httpx.Wrap(h.snooze))
	g.GET("/notifications/:id/deliveries", httpx.Wrap(h.deliveries))
	g.GET("/preferences", httpx.Wrap(h.preferences))
	g.PUT("/preferences", httpx.Wrap(h.savePreferences))
}

// asAnswer gives the domain's errors their status; others are for the one wrapper.
func asAnswer(err error) error {
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
