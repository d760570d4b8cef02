package subscribe

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/taskwire/taskwire/pkg/platform/dapr"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
)

// ErrPoison is wrapped by a handler's error when the event can never succeed. It is then dead-lettered at once.
var ErrPoison = errors.New("poison event")

// MaxAttempts is how often one event may fail in this process for a reason that is not transient. The next such failure
// dead-letters it. daprd makes one attempt a second, so a race has ten seconds to pass.
const MaxAttempts = 10

const (
	tokenHeader = "dapr-api-token" // the header's name, not a token

	// defaultBodyLimit is Kafka's default limit. An event has at most half of it (events.MaxEventBytes).
	defaultBodyLimit = 1 << 20
	// defaultHandlerTimeout: while a handler runs longer, other replicas cannot join the consumer group.
	defaultHandlerTimeout = 10 * time.Second
	// deadLetterTimeout and the handler's 10 s together end before the 15 s after which daprd redelivers
	// (dapr-components/resiliency.yaml).
	deadLetterTimeout = 4 * time.Second
	// healthTimeout bounds Config.Health. daprd waits half a second for the answer, Kubernetes a second or two.
	healthTimeout = 2 * time.Second
)

// Publisher is the part of *dapr.Client that publishes a dead letter.
type Publisher interface {
	PublishEvent(ctx context.Context, topic string, e dapr.Event) error
}

// Config configures a Server.
type Config struct {
	// Token is the app API token that daprd sends. When it is empty every request is refused and GET /healthz answers 503.
	Token string
	// Log may be nil.
	Log *slog.Logger
	// Registerer may be nil.
	Registerer prometheus.Registerer
	// DeadLetter publishes dead letters. When it is nil, an event that should be dead-lettered is redelivered.
	DeadLetter Publisher
	// Consumer is the service's name in its dead letters.
	Consumer string
	// BodyLimit is the largest body in bytes; default 1 MiB.
	BodyLimit int64
	// HandlerTimeout ends the context of a handler; default 10 s.
	HandlerTimeout time.Duration
	// Health returns nil when the service can handle deliveries, for GET /healthz. A nil Health means always.
	Health func(ctx context.Context) error
}

// Delivery is one delivery as it was received.
type Delivery struct {
	Raw          []byte // the event's own JSON as received, byte for byte
	Topic        string
	CloudEventID string
	TraceParent  string // of the CloudEvent; "" when it is malformed
}

// Server serves the sidecar.
type Server struct {
	cfg      Config
	engine   *gin.Engine
	invoked  *gin.RouterGroup
	metrics  *metrics
	attempts *attempts
	token    [sha256.Size]byte
	refused  atomic.Bool // a request without the token has been logged
	sick     atomic.Bool // the last health check failed
}

// New makes a server. Zero values of cfg take the defaults.
func New(cfg Config) *Server {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.BodyLimit <= 0 {
		cfg.BodyLimit = defaultBodyLimit
	}
	if cfg.HandlerTimeout <= 0 {
		cfg.HandlerTimeout = defaultHandlerTimeout
	}
	if cfg.Token == "" {
		cfg.Log.Error("the app API token is empty: every delivery will be refused")
	}
	gin.SetMode(gin.ReleaseMode)
	s := &Server{
		cfg:      cfg,
		engine:   gin.New(),
		metrics:  newMetrics(cfg.Registerer),
		attempts: newAttempts(maxRemembered),
		token:    sha256.Sum256([]byte(cfg.Token)),
	}
	s.engine.ContextWithFallback = true
	s.engine.RedirectTrailingSlash = false
	_ = s.engine.SetTrustedProxies(nil) // no header is trusted; nil cannot fail
	s.engine.Use(s.authenticate)
	public := httpx.Middleware(httpx.Config{Service: cfg.Consumer, Log: cfg.Log, Registerer: cfg.Registerer, BodyLimit: cfg.BodyLimit})
	s.invoked = s.engine.Group("", public...)
	s.engine.NoRoute(append(public, httpx.Wrap(func(*gin.Context) error {
		return httpx.Unavailable("This version has no such route.", time.Second, nil)
	}))...)
	s.engine.GET(healthPath, s.health)
	// daprd asks for these at its start. Subscriptions are declared in YAML, and there is nothing to configure.
	s.engine.GET("/dapr/subscribe", func(c *gin.Context) { c.Data(http.StatusOK, contentTypeJSON, []byte("[]")) })
	s.engine.GET("/dapr/config", func(c *gin.Context) { c.Data(http.StatusOK, contentTypeJSON, []byte("{}")) })
	return s
}

const (
	healthPath      = "/healthz"
	contentTypeJSON = "application/json"
)

// Handler returns the server's HTTP handler.
func (s *Server) Handler() http.Handler { return s.engine }

// Invoke registers h for service invocations. Its errors are answered with httpx.Wrap, as those of the public API.
func (s *Server) Invoke(method, path string, h func(*gin.Context) error) {
	s.invoked.Handle(method, path, httpx.Wrap(func(c *gin.Context) error {
		ctx, cancel := context.WithTimeout(c.Request.Context(), s.cfg.HandlerTimeout)
		defer cancel()
		c.Request = c.Request.WithContext(ctx)
		return h(c)
	}))
}

// Binding registers fn for the calls of the input binding, at POST /<name>; OPTIONS tells daprd that the route exists. An
// error or a panic is logged and answered 500. The binding decides whether to call again.
func (s *Server) Binding(name string, fn func(ctx context.Context) error) {
	path := "/" + name
	s.metrics.prepare(name)
	s.engine.OPTIONS(path, func(c *gin.Context) { c.Status(http.StatusOK) })
	s.engine.POST(path, func(c *gin.Context) {
		begin := time.Now()
		ctx, cancel := context.WithTimeout(c.Request.Context(), s.cfg.HandlerTimeout)
		defer cancel()
		err := guarded(func() error { return fn(ctx) })
		if err == nil {
			s.metrics.observe(name, outcomeSuccess, time.Since(begin))
			c.Status(http.StatusOK)
			return
		}
		s.metrics.observe(name, outcomeRetry, time.Since(begin))
		s.cfg.Log.ErrorContext(ctx, "binding failed", append([]any{"binding", name}, errorAttrs(err)...)...)
		c.Status(http.StatusInternalServerError)
	})
}

// authenticate refuses every request without the token, except GET /healthz.
func (s *Server) authenticate(c *gin.Context) {
	if c.Request.Method == http.MethodGet && c.Request.URL.Path == healthPath {
		return
	}
	got := sha256.Sum256([]byte(c.GetHeader(tokenHeader))) // hashes have one length, so the comparison does not reveal the token's
	if subtle.ConstantTimeCompare(got[:], s.token[:]) == 1 && s.cfg.Token != "" {
		return
	}
	s.metrics.unauthorized.Inc()
	level := slog.LevelDebug
	if !s.refused.Swap(true) { // once, because a sidecar with another token repeats its requests
		level = slog.LevelWarn
	}
	s.cfg.Log.Log(c.Request.Context(), level, "a request without the app API token was refused", "method", c.Request.Method)
	c.Header("Content-Type", "application/problem+json")
	c.AbortWithStatusJSON(http.StatusUnauthorized, httpx.Problem{
		Type: "urn:taskwire:problem:unauthorized", Title: "Unauthorized", Status: http.StatusUnauthorized,
		Detail: "The app API token is missing or wrong.",
	})
}

// health answers whether deliveries can be handled. The reason is logged, once for each change.
func (s *Server) health(c *gin.Context) {
	ctx, cancel := context.WithTimeout(c.Request.Context(), healthTimeout)
	defer cancel()
	err := guarded(func() error {
		switch {
		case s.cfg.Token == "":
			return errors.New("the app API token is empty")
		case s.cfg.Health == nil:
			return nil
		}
		return s.cfg.Health(ctx)
	})
	if was := s.sick.Swap(err != nil); was != (err != nil) {
		if err != nil {
			s.cfg.Log.WarnContext(ctx, "deliveries cannot be handled", errorAttrs(err)...)
		} else {
			s.cfg.Log.InfoContext(ctx, "deliveries can be handled again")
		}
	}
	if err != nil {
		c.JSON(http.StatusServiceUnavailable, gin.H{"status": "unavailable"})
		return
	}
	c.JSON(http.StatusOK, gin.H{"status": "ok"})
}

// panicError is a recovered panic.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// guarded runs fn and returns its panic as an error.
func guarded(fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &panicError{value: p, stack: debug.Stack()}
		}
	}()
	return fn()
}

// errorAttrs returns the log attributes of err; for a panic also its stack.
func errorAttrs(err error) []any {
	attrs := []any{"error", err.Error()}
	var p *panicError
	if errors.As(err, &p) {
		attrs = append(attrs, "stack", string(p.stack))
	}
	return attrs
}
