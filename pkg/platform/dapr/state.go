package dapr

import (
	"context"
	"fmt"
	"strconv"
	"time"

	sdk "github.com/dapr/go-sdk/client"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// StateOption changes how a state is saved or deleted.
type StateOption func(*stateOptions)

type stateOptions struct {
	conditional bool
	etag        string
	ttl         time.Duration
}

// WithETag makes the call conditional: it fails with ErrConflict unless the stored ETag is this one. The empty ETag,
// which GetState returns for a missing key, means that the key must not exist.
func WithETag(etag string) StateOption {
	return func(o *stateOptions) { o.conditional, o.etag = true, etag }
}

// WithTTL lets the value expire after ttl, rounded up to a second. Only SaveState uses it.
func WithTTL(ttl time.Duration) StateOption { return func(o *stateOptions) { o.ttl = ttl } }

// GetState reads a key with strong consistency. For a missing or expired key it returns (nil, "", nil).
func (c *Client) GetState(ctx context.Context, key string) (value []byte, etag string, err error) {
	err = c.state(ctx, "get state", key, func(ctx context.Context) error {
		item, err := c.sdk.GetState(ctx, c.cfg.StateStore, key, nil)
		if err != nil {
			return err
		}
		value, etag = item.Value, item.Etag
		return nil
	})
	return value, etag, err
}

// SaveState writes a key. Without WithETag the last writer wins.
func (c *Client) SaveState(ctx context.Context, key string, value []byte, opts ...StateOption) error {
	o := gather(opts)
	item := &sdk.SetStateItem{Key: key, Value: value, Etag: o.sdkETag(), Options: o.sdkOptions()}
	if o.ttl > 0 {
		item.Metadata = map[string]string{"ttlInSeconds": strconv.FormatInt(int64((o.ttl+time.Second-1)/time.Second), 10)}
	}
	return c.state(ctx, "save state", key, func(ctx context.Context) error {
		return c.sdk.SaveBulkState(ctx, c.cfg.StateStore, item)
	})
}

// DeleteState deletes a key. A missing key is an error only with WithETag.
func (c *Client) DeleteState(ctx context.Context, key string, opts ...StateOption) error {
	o := gather(opts)
	return c.state(ctx, "delete state", key, func(ctx context.Context) error {
		return c.sdk.DeleteStateWithETag(ctx, c.cfg.StateStore, key, o.sdkETag(), nil, o.sdkOptions())
	})
}

// state makes a call of the state API. It returns ErrConflict for daprd's Aborted: the ETag did not match.
func (c *Client) state(ctx context.Context, call, key string, fn func(ctx context.Context) error) error {
	if key == "" {
		return &Error{Call: call, Component: c.cfg.StateStore, Err: fmt.Errorf("%w: the key is empty", errArgument)}
	}
	return c.do(ctx, call, c.cfg.StateStore, func(ctx context.Context) error {
		err := fn(ctx)
		if status.Code(err) == codes.Aborted {
			return fmt.Errorf("%w: %w", ErrConflict, err)
		}
		return err
	})
}

func gather(opts []StateOption) (o stateOptions) {
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

func (o stateOptions) sdkETag() *sdk.ETag {
	if !o.conditional || o.etag == "" {
		return nil
	}
	return &sdk.ETag{Value: o.etag}
}

func (o stateOptions) sdkOptions() *sdk.StateOptions {
	so := &sdk.StateOptions{Concurrency: sdk.StateConcurrencyLastWrite, Consistency: sdk.StateConsistencyStrong}
	if o.conditional {
		so.Concurrency = sdk.StateConcurrencyFirstWrite
	}
	return so
}

// GetSecret reads all keys of one secret.
func (c *Client) GetSecret(ctx context.Context, store, name string) (map[string]string, error) {
	var secret map[string]string
	err := c.do(ctx, "get secret "+name, store, func(ctx context.Context) error {
		var err error
		secret, err = c.sdk.GetSecret(ctx, store, name, nil)
		return err
	})
	return secret, err
}
