package revocation

import (
	"context"
	"fmt"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/pkg/platform/subscribe"
)

// This file takes the account events that the fan-out component brings to every process.

// Subscribe registers the feed for the account events of the fan-out component.
func (f *Feed) Subscribe(server *subscribe.Server) {
	subscribe.FanOut(server, events.TopicAccountEvents, events.DecodeAccountEvent,
		func(_ context.Context, ev events.AccountEvent, _ subscribe.Delivery) error {
			e, revokes := Of(ev)
			if !revokes {
				return nil
			}
			if err := f.set.Apply(e); err != nil {
				return fmt.Errorf("%w: %w", subscribe.ErrPoison, err)
			}
			return nil
		})
}

// Of returns what an event revokes, and false for an event that revokes nothing.
func Of(ev events.AccountEvent) (auth.Revocation, bool) {
	e := auth.Revocation{UserID: ev.UserID, At: ev.Timestamp}
	switch ev.EventType {
	case events.AccountLoggedOut, events.AccountSessionEnded:
		e.Kind, e.ID = auth.RevokedSession, ev.SessionID
	case events.AccountTokenRevoked:
		e.Kind, e.ID = auth.RevokedToken, ev.SessionID
	case events.AccountDeleted:
		e.Kind, e.ID = auth.RevokedUser, ev.UserID
	case events.AccountRoleChanged:
		e.Kind, e.ID, e.Role = auth.RevokedRole, ev.UserID, ev.Role
	default:
		return auth.Revocation{}, false
	}
	return e, true
}
