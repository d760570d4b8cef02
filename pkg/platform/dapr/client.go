package dapr

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	sdk "github.com/dapr/go-sdk/client"
	"go.opentelemetry.io/otel/propagation"
	"google.golang.org/grpc"
	grpcbackoff "google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
)

const (
	defaultHTTPPort   = 3500
	defaultGRPCPort   = 50001
	defaultPubSub     = "kafka-pubsub"
	defaultStateStore = "statestore"
	defaultTimeout    = 10 * time.Second
	defaultAttempts   = 3
	defaultBackoff    = 500 * time.Millisecond

	// jitter spreads the waits over ±50 %, so that the replicas of a service do not retry at the same moment.
	jitter = 0.5
	// maxBackoff: a caller with many attempts waits no longer than a sidecar takes to restart.
	maxBackoff = 10 * time.Second

	// dialTimeout is generous for a connection within one machine.
	dialTimeout = 2 * time.Second
	// reconnectMax bounds gRPC's own reconnect wait (120 s by default): a restarted sidecar is used at once.
	reconnectMax = time.Second
	// maxAnswerBytes bounds one answer. daprd forwards at most 4 MiB by default.
	maxAnswerBytes = 8 << 20
	// readyTimeout is short: probes call Ready every few seconds, and the sidecar is on the same machine.
	readyTimeout = 2 * time.Second

	tokenHeader = "dapr-api-token" // the header's name, not a token
)

// Config is the sidecar's address and the limits of a call. Zero values take the defaults.
type Config struct {
	HTTPPort   int           // 3500
	GRPCPort   int           // 50001
	PubSub     string        // the pub/sub component, kafka-pubsub
	StateStore string        // the state store component, statestore
	APIToken   string        // sent with every call; empty when the sidecar wants none
	Source     string        // the CloudEvents' source; when empty the sidecar sets its app id
	Timeout    time.Duration // for each attempt, 10 s
	Attempts   int           // 3
	Backoff    time.Duration // before the second attempt, 0.5 s; doubles
	Log        *slog.Logger  // discards when nil
}

// Client talks to one sidecar. Safe for concurrent use.
type Client struct {
	cfg  Config
	conn *grpc.ClientConn
	sdk  sdk.Client
	http *http.Client
	base string // of the HTTP API
}

// silenceSDK keeps the SDK's plain-text lines out of standard output.
var silenceSDK = sync.OnceFunc(func() { sdk.SetLogger(nil) })

// New makes a client. It does not dial. It fails only for settings that can never work.
func New(cfg Config) (*Client, error) {
	cfg = cfg.withDefaults()
	for name, port := range map[string]int{"HTTP": cfg.HTTPPort, "gRPC": cfg.GRPCPort} {
		if port < 1 || port > 65535 {
			return nil, fmt.Errorf("dapr client: the sidecar's %s port %d is not a port", name, port)
		}
	}
	silenceSDK()
	conn, err := grpc.NewClient("passthrough:///"+net.JoinHostPort("127.0.0.1", strconv.Itoa(cfg.GRPCPort)),
		grpc.WithTransportCredentials(insecure.NewCredentials()), // loopback; the token authenticates
		grpc.WithNoProxy(),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           grpcbackoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 2, Jitter: 0.2, MaxDelay: reconnectMax},
			MinConnectTimeout: dialTimeout,
		}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxAnswerBytes)),
		grpc.WithUnaryInterceptor(outgoing(cfg.APIToken)),
	)
	if err != nil {
		return nil, fmt.Errorf("dapr client: %w", err)
	}
	return &Client{
		cfg:  cfg,
		conn: conn,
		sdk:  sdk.NewClientWithConnection(conn),
		http: &http.Client{
			Transport: &http.Transport{
				Proxy:                 nil, // the sidecar is on this machine: HTTP_PROXY does not apply
				DialContext:           (&net.Dialer{Timeout: dialTimeout}).DialContext,
				MaxIdleConnsPerHost:   32, // that many invocations at the same time reuse their connections
				IdleConnTimeout:       time.Minute,
				ResponseHeaderTimeout: cfg.Timeout,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		base: "http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(cfg.HTTPPort)) + "/v1.0/",
	}, nil
}

func (cfg Config) withDefaults() Config {
	cfg.HTTPPort = orDefault(cfg.HTTPPort, defaultHTTPPort)
	cfg.GRPCPort = orDefault(cfg.GRPCPort, defaultGRPCPort)
	cfg.PubSub = orDefault(cfg.PubSub, defaultPubSub)
	cfg.StateStore = orDefault(cfg.StateStore, defaultStateStore)
	cfg.Timeout = orDefault(cfg.Timeout, defaultTimeout)
	cfg.Attempts = orDefault(cfg.Attempts, defaultAttempts)
	cfg.Backoff = orDefault(cfg.Backoff, defaultBackoff)
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return cfg
}

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

// Close closes the connections. Calls in flight fail.
func (c *Client) Close() error {
	c.http.CloseIdleConnections()
	return c.conn.Close()
}

// Ready returns nil when the sidecar is up with all its components. It makes one attempt and is cheap.
func (c *Client) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	err := func() error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"healthz/outbound", nil)
		if err != nil {
			return err
		}
		resp, err := c.http.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswerBytes)) // the connection can then be reused
		if resp.StatusCode/100 != 2 {
			return fmt.Errorf("it answered %d", resp.StatusCode)
		}
		return nil
	}()
	if err != nil {
		return &Error{Call: "health check", Component: "the sidecar", Attempts: 1, Err: err}
	}
	return nil
}

// outgoing adds the API token and the trace context to every gRPC call.
func outgoing(token string) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		if token != "" {
			ctx = metadata.AppendToOutgoingContext(ctx, tokenHeader, token)
		}
		carrier := propagation.MapCarrier{} // trace parent and trace state
		propagation.TraceContext{}.Inject(ctx, carrier)
		for k, v := range carrier {
			ctx = metadata.AppendToOutgoingContext(ctx, k, v)
		}
		return invoke(ctx, method, req, reply, cc, opts...)
	}
}

// do runs one call with the client's time limit and attempts. It repeats an attempt whose error is retryable.
func (c *Client) do(ctx context.Context, call, component string, attempt func(ctx context.Context) error) error {
	attempts := 0
	var last error
	op := func() (struct{}, error) {
		attempts++
		attemptCtx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
		defer cancel()
		if last = attempt(attemptCtx); last != nil && (ctx.Err() != nil || !retryable(last)) {
			return struct{}{}, backoff.Permanent(last)
		}
		return struct{}{}, last
	}
	_, err := backoff.Retry(ctx, op,
		backoff.WithBackOff(&backoff.ExponentialBackOff{
			InitialInterval:     c.cfg.Backoff,
			RandomizationFactor: jitter,
			Multiplier:          2,
			MaxInterval:         maxBackoff,
		}),
		backoff.WithMaxTries(uint(c.cfg.Attempts)), // a small positive number
		backoff.WithMaxElapsedTime(0),              // the attempts and the caller's context are the bound
		backoff.WithNotify(func(err error, wait time.Duration) {
			c.cfg.Log.DebugContext(ctx, "dapr call failed, trying again",
				"call", call, "component", component, "attempt", attempts, "wait_ms", wait.Milliseconds(), "error", err.Error())
		}),
	)
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); cause != nil && !errors.Is(last, cause) {
		last = fmt.Errorf("%w (%w)", last, cause)
	}
	return &Error{Call: call, Component: component, Attempts: attempts, Err: last}
}
