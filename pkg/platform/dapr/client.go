// Package dapr is the service's client of its own Dapr sidecar.
package dapr

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/taskwire/taskwire/pkg/platform/outbox"
)

// Config says where the sidecar is. Zero values take the defaults.
type Config struct {
	HTTPPort, GRPCPort int
	PubSub, StateStore string
	APIToken           string
	Timeout            time.Duration
	Attempts           int
	Backoff            time.Duration
	Log                *slog.Logger
}

// Client talks to one sidecar. Safe for concurrent use.
type Client struct{ cfg Config }

// ErrConflict is wrapped when a state's ETag is not the stored one any more.
var ErrConflict = errors.New("etag conflict")

// Error says which call failed, on which component, after how many attempts.
type Error struct {
	Call, Component string
	Attempts        int
	Err             error
}

func (e *Error) Error() string {
	return fmt.Sprintf("dapr %s on %s failed after %d attempts: %v", e.Call, e.Component, e.Attempts, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// InvokeError is an app's answer outside 2xx.
type InvokeError struct {
	AppID, Method, Path string
	Status              int
	Body                []byte
}

func (e *InvokeError) Error() string {
	return fmt.Sprintf("%s answered %d to %s %s", e.AppID, e.Status, e.Method, e.Path)
}

// New makes a client. It does not dial: a missing sidecar shows in the first call and in Ready.
func New(cfg Config) (*Client, error) { return &Client{cfg: cfg}, nil }

// Close closes the connection.
func (c *Client) Close() error { return nil }

// PublishEvent publishes one event.
func (c *Client) PublishEvent(ctx context.Context, topic string, m outbox.Message) error {
	return errors.ErrUnsupported
}

// PublishBulk publishes events of one topic and says which failed, by event id.
func (c *Client) PublishBulk(ctx context.Context, topic string, msgs []outbox.Message) (map[string]error, error) {
	return nil, errors.ErrUnsupported
}

// StateOption changes how a state is saved or deleted.
type StateOption func(*stateOptions)

type stateOptions struct {
	etag string
	ttl  time.Duration
}

// WithETag makes the call conditional on the stored ETag; "" means the key must not exist yet.
func WithETag(etag string) StateOption { return func(o *stateOptions) { o.etag = etag } }

// WithTTL lets the value expire.
func WithTTL(ttl time.Duration) StateOption { return func(o *stateOptions) { o.ttl = ttl } }

// GetState reads a key; a missing key is nil, "", nil.
func (c *Client) GetState(ctx context.Context, key string) (value []byte, etag string, err error) {
	return nil, "", errors.ErrUnsupported
}

// SaveState writes a key.
func (c *Client) SaveState(ctx context.Context, key string, value []byte, opts ...StateOption) error {
	return errors.ErrUnsupported
}

// DeleteState deletes a key.
func (c *Client) DeleteState(ctx context.Context, key string, opts ...StateOption) error {
	return errors.ErrUnsupported
}

// GetSecret reads one secret.
func (c *Client) GetSecret(ctx context.Context, store, name string) (map[string]string, error) {
	return nil, errors.ErrUnsupported
}

// Invoke calls another app through its sidecar.
func (c *Client) Invoke(ctx context.Context, appID, httpMethod, path string, body any) (status int, resp []byte, err error) {
	return 0, nil, errors.ErrUnsupported
}

// Ready asks the sidecar whether it can be used for outbound calls.
func (c *Client) Ready(ctx context.Context) error { return errors.ErrUnsupported }
