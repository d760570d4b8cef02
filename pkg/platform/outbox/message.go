// Package outbox carries events from the transaction that made them to the broker, in order and without loss.
package outbox

import (
	"context"
	"errors"
)

// Message is one event on its way to the broker.
type Message struct {
	Topic       string
	Key         string // the partition key: user_id
	EventID     string // becomes the CloudEvent's id
	Type        string // becomes the CloudEvent's type
	Subject     string // task_id; becomes the CloudEvent's subject
	Data        []byte // the event's JSON
	TraceParent string // W3C trace context of the write that made the event; may be empty
}

// Publisher sends events of one topic. failed holds, by event id, those that were not published; err means that
// nothing is known to be published.
type Publisher interface {
	PublishBulk(ctx context.Context, topic string, msgs []Message) (failed map[string]error, err error)
}

// ErrRefused is wrapped by a Publisher's error when the broker can never take that event.
var ErrRefused = errors.New("event refused by the broker")
