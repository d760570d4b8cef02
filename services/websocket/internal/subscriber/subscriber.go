// Package subscriber takes the deliveries of the WebSocket service, from the fan-out component: every replica gets every
// event.
//
// Promises: a delivery is acknowledged as soon as the hub has it; no delivery waits for a connection. Nothing is asked
// for again: what a replica misses, the hub reads from the task API.
package subscriber

import (
	"context"

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
	subscribe.Handle(server, events.TopicTaskUpdates, events.DecodeTaskUpdateEvent,
		func(_ context.Context, ev events.TaskUpdateEvent, _ subscribe.Delivery) error { return hub.Update(ev) })
	subscribe.Handle(server, events.TopicNotifications, events.DecodeNotificationEvent,
		func(_ context.Context, ev events.NotificationEvent, _ subscribe.Delivery) error {
			return hub.Notify(ev)
		})
}
