// Package daprpublisher is the outbox.Publisher that sends events through a Dapr sidecar. It is the only place that
// knows both the outbox and the sidecar's client.
package daprpublisher

import (
	"context"
	"errors"

	"github.com/taskwire/taskwire/pkg/platform/dapr"
	"github.com/taskwire/taskwire/pkg/platform/outbox"
)

// Client is the part of *dapr.Client that is called.
type Client interface {
	PublishBulk(ctx context.Context, topic string, events []dapr.Event) (failed map[string]error, err error)
}

// Publisher implements outbox.Publisher. It is safe for concurrent use.
type Publisher struct{ client Client }

// New returns a publisher on client.
func New(client Client) *Publisher { return &Publisher{client} }

// PublishBulk implements outbox.Publisher. It allocates one slice for a bulk and nothing for a single event.
func (p *Publisher) PublishBulk(ctx context.Context, topic string, msgs []outbox.Message) (failed map[string]error, err error) {
	events := make([]dapr.Event, len(msgs))
	for i, m := range msgs {
		events[i] = dapr.Event{ID: m.EventID, Key: m.Key, Type: m.Type, Subject: m.Subject, Data: m.Data, TraceParent: m.TraceParent}
	}
	failed, err = p.client.PublishBulk(ctx, topic, events)
	for id, reason := range failed {
		failed[id] = translate(reason)
	}
	return failed, translate(err)
}

// translate makes an error that wraps dapr.ErrRefused wrap outbox.ErrRefused too. The text stays the same.
func translate(err error) error {
	if errors.Is(err, dapr.ErrRefused) {
		return refusal{err}
	}
	return err
}

type refusal struct{ error }

func (r refusal) Unwrap() error        { return r.error }
func (r refusal) Is(target error) bool { return target == outbox.ErrRefused }
