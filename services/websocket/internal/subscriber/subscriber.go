// Package subscriber takes the deliveries of the WebSocket service. They come from the fan-out component: every replica
// gets every event.
//
// Promises: a delivery is acknowledged as soon as the hub has it, and never waits for a connection. No redelivery is
// requested for a lost event: the hub reads it from the service that keeps it. An event of an unknown type is passed on, because it has
// a place in the sequence and the page may know it.
package subscriber

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/subscribe"
)

// Hub is the part of the hub that takes deliveries.
type Hub interface {
	Update(ev events.TaskUpdateEvent) error
	Notify(ev events.NotificationEvent) error
}

// Subscribe registers the service's subscriptions.
func Subscribe(server *subscribe.Server, hub Hub) {
	subscribe.Handle(server, events.TopicTaskUpdates, decodeUpdate,
		func(_ context.Context, ev events.TaskUpdateEvent, _ subscribe.Delivery) error { return hub.Update(ev) })
	subscribe.Handle(server, events.TopicNotifications, events.DecodeNotificationEvent,
		func(_ context.Context, ev events.NotificationEvent, _ subscribe.Delivery) error {
			return hub.Notify(ev)
		})
}

// decodeUpdate also accepts an event of a type that this version does not know.
func decodeUpdate(raw []byte) (events.TaskUpdateEvent, error) {
	ev, err := events.DecodeTaskUpdateEvent(raw)
	if errors.Is(err, events.ErrUnknownType) {
		var known events.TaskUpdateEvent
		if json.Unmarshal(raw, &known) == nil {
			return known, nil
		}
	}
	return ev, err
}
