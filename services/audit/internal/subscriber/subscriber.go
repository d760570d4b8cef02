// Package subscriber takes the deliveries of the audit service.
//
// Promises: a delivery is acknowledged only when its event is in the log; the same event again is acknowledged and adds
// nothing. An event whose type this version does not know is recorded like any other: a log keeps what it does not
// understand. An event that the log can never hold is dead-lettered; for any other failure it is delivered again.
package subscriber

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/subscribe"
	"github.com/taskwire/taskwire/services/audit/internal/domain"
)

// Appender is the part of the domain that takes events.
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
}

// decode reads an event, of a type that is known or not.
func decode(raw []byte) (events.TaskEvent, error) {
	ev, err := events.DecodeTaskEvent(raw)
	if !errors.Is(err, events.ErrUnknownType) {
		return ev, err
	}
	var more struct {
		TaskVersion int64  `json:"task_version"`
		Seq         int64  `json:"seq"`
		Actor       string `json:"actor"`
	}
	if json.Unmarshal(raw, &more) == nil { // where a later version has other types for them, they stay unknown
		ev.TaskVersion, ev.Seq, ev.Actor = more.TaskVersion, more.Seq, more.Actor
	}
	return ev, nil
}

// onTaskEvent puts one event into the log, as the bytes that came.
func (s *Subscriber) onTaskEvent(ctx context.Context, ev events.TaskEvent, d subscribe.Delivery) error {
	e, err := domain.NewEntry(ev, d.Raw, s.now())
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
