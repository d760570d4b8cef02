// Package subscriber takes the deliveries of the WebSocket service. They come from the fan-out component: every replica
// gets every event.
//
// Promises: a delivery is acknowledged as soon as the hub has it, and never waits for a connection. No redelivery is
// requested for a lost event: the hub reads it from the service that keeps it. An event of an unknown type is passed on, because it has
// a place in the sequence and the page may know it. The end of a session is in the topic of the changes: the sockets of the
// session are closed before a later change of the user is delivered.
package subscriber

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/pkg/platform/subscribe"
)

// Hub is the part of the hub that takes deliveries.
type Hub interface {
	Update(ev events.TaskUpdateEvent) error
	Notify(ev events.NotificationEvent) error
}

// Sessions is the set of what was revoked. Applying the end of a session closes its sockets.
type Sessions interface {
	Apply(e auth.Revocation) error
}

// Subscribe registers the service's subscriptions.
func Subscribe(server *subscribe.Server, hub Hub, sessions Sessions) {
	subscribe.Handle(server, events.TopicTaskUpdates, decodeUpdate, func(_ context.Context, ev update, _ subscribe.Delivery) error {
		if ev.ended == nil {
			return hub.Update(ev.change)
		}
		for _, id := range ev.ended.SessionIDs {
			e := auth.Revocation{Kind: auth.RevokedSession, ID: id, UserID: ev.ended.UserID, At: ev.ended.Timestamp}
			if err := sessions.Apply(e); err != nil {
				return fmt.Errorf("%w: %w", subscribe.ErrPoison, err)
			}
		}
		return nil
	})
	subscribe.Handle(server, events.TopicNotifications, events.DecodeNotificationEvent,
		func(_ context.Context, ev events.NotificationEvent, _ subscribe.Delivery) error {
			return hub.Notify(ev)
		})
}

// update is an event of the topic of changes: a change, or the end of sessions.
type update struct {
	change events.TaskUpdateEvent
	ended  *events.SessionUpdateEvent // nil: a change
}

// decodeUpdate also accepts an event of a type that this version does not know.
func decodeUpdate(raw []byte) (update, error) {
	change, err := events.DecodeTaskUpdateEvent(raw)
	if !errors.Is(err, events.ErrUnknownType) {
		return update{change: change}, err
	}
	ended, err := events.DecodeSessionUpdateEvent(raw)
	if !errors.Is(err, events.ErrUnknownType) {
		return update{ended: &ended}, err
	}
	if json.Unmarshal(raw, &change) == nil {
		return update{change: change}, nil
	}
	return update{}, err
}
