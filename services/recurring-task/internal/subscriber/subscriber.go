// Package subscriber handles the deliveries of the recurring-task service.
//
// Promises: an event is acknowledged only when its work is done. A failure causes another delivery.
package subscriber

import (
	"context"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/subscribe"
)

// Engine is the part of the domain that handles events.
type Engine interface {
	Handle(ctx context.Context, ev events.TaskEvent) error
}

// Subscriber passes deliveries to the engine.
type Subscriber struct{ engine Engine }

// New makes a subscriber.
func New(engine Engine) *Subscriber { return &Subscriber{engine: engine} }

// Subscribe registers the service's subscriptions.
func (s *Subscriber) Subscribe(server *subscribe.Server) {
	subscribe.Handle(server, events.TopicTaskEvents, events.DecodeTaskEvent, s.onTaskEvent)
}

func (s *Subscriber) onTaskEvent(ctx context.Context, ev events.TaskEvent, _ subscribe.Delivery) error {
	return s.engine.Handle(ctx, ev)
}
