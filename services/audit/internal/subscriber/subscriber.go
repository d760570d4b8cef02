// Package subscriber handles the deliveries of the audit service.
//
// Promises:
//   - A delivery is acknowledged only after its event was committed to the log. The same event again is acknowledged and
//     adds nothing.
//   - An event with an unknown type is recorded like any other: the log must be complete.
//   - An event that can never be stored is dead-lettered. Any other failure causes another delivery.
package subscriber

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/subscribe"
	"github.com/taskwire/taskwire/services/audit/internal/domain"
)

// Appender is the part of the domain that records events.
type Appender interface {
	Append(ctx context.Context, e *domain.Entry) error
}

// Subscriber turns deliveries into entries.
type Subscriber struct {
	appender Appender
	now      func() time.Time
	log      *slog.Logger
}

// New makes a subscriber.
func New(a Appender, now func() time.Time, log *slog.Logger) *Subscriber {
	return &Subscriber{appender: a, now: now, log: log}
}

// Subscribe registers the service's subscriptions.
func (s *Subscriber) Subscribe(server *subscribe.Server) {
	subscribe.Handle(server, events.TopicTaskEvents, decode, s.onTaskEvent)
	subscribe.Handle(server, events.TopicAccountEvents, events.DecodeAccountEvent, s.onAccountEvent)
}

// decode reads an event, even one of an unknown type.
func decode(raw []byte) (events.TaskEvent, error) {
	ev, err := events.DecodeTaskEvent(raw)
	if !errors.Is(err, events.ErrUnknownType) {
		return ev, err
	}
	return ev, nil // the entry's columns are read from the leaf
}

// onTaskEvent appends one event to the log.
func (s *Subscriber) onTaskEvent(ctx context.Context, _ events.TaskEvent, d subscribe.Delivery) error {
	return s.append(ctx, d)
}

// onAccountEvent appends one event to the log. It is about no task.
func (s *Subscriber) onAccountEvent(ctx context.Context, _ events.AccountEvent, d subscribe.Delivery) error {
	return s.append(ctx, d)
}

// append appends one event to the log, byte for byte as it was received.
func (s *Subscriber) append(ctx context.Context, d subscribe.Delivery) error {
	e, err := domain.NewEntry(d.Raw, s.now())
	if err == nil {
		err = s.appender.Append(ctx, e)
	}
	if errors.Is(err, domain.ErrUnstorable) {
		return fmt.Errorf("%w: %w", subscribe.ErrPoison, err)
	}
	if err != nil {
		return err
	}
	s.log.DebugContext(ctx, "event recorded", "event_id", e.EventID, "task_id", e.TaskID, "user_id", e.UserID)
	return nil
}
