package dapr

import (
	"context"

	sdk "github.com/dapr/go-sdk/client"
)

const contentTypeJSON = "application/json"

// PublishEvent publishes one event, at least once. When the broker can never take it, the error wraps ErrRefused.
func (c *Client) PublishEvent(ctx context.Context, topic string, e Event) error {
	call := "publish to " + topic
	if err := e.check(); err != nil {
		return &Error{Call: call, Component: c.cfg.PubSub, Attempts: 0, Err: err}
	}
	return c.do(ctx, call, c.cfg.PubSub, func(ctx context.Context) error { return c.publishOne(ctx, topic, e) })
}

// publishOne makes one attempt.
func (c *Client) publishOne(ctx context.Context, topic string, e Event) error {
	err := c.sdk.PublishEvent(ctx, c.cfg.PubSub, topic, e.Data,
		sdk.PublishEventWithContentType(contentTypeJSON), sdk.PublishEventWithMetadata(e.metadata(c.cfg.Source)))
	if err != nil && refusal(err) {
		return refused(err)
	}
	return err
}
