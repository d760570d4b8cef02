package httpx

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/taskwire/taskwire/pkg/platform/address"
	"github.com/taskwire/taskwire/pkg/platform/origin"
)

// defaultBodyLimit is larger than one task with its longest description and than a batch of 500 usual tasks.
const defaultBodyLimit = 1 << 20

// Config configures an engine.
type Config struct {
	Service    string
	Log        *slog.Logger
	Registerer prometheus.Registerer
	BodyLimit  int64 // bytes; default 1 MiB
	// BodyLimits holds the limits of single routes, by their path in the engine.
	BodyLimits map[string]int64
	// Origins are the origins of the pages of other hosts that may read answers (CORS); default none.
	Origins origin.Set
	// TrustedProxies are the addresses or networks whose X-Forwarded-For is trusted; default none.
	TrustedProxies []string
	// MaxInFlight bounds the requests of one address at a time; 0: no bound.
	MaxInFlight int
}

// NewEngine makes the public engine. It has Middleware and compression before every handler, and problem documents for
// unknown routes and methods. It panics on TrustedProxies that are not valid.
func NewEngine(cfg Config) *gin.Engine {
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.ContextWithFallback = true
	engine.HandleMethodNotAllowed = true
	engine.RedirectTrailingSlash = false
	_ = engine.SetTrustedProxies(nil) // ClientAddress reads the headers; nil cannot fail
	engine.Use(Middleware(cfg)...)
	engine.Use(compress())
	engine.NoRoute(Wrap(func(*gin.Context) error { return NotFound("There is nothing at this address.") }))
	engine.NoMethod(Wrap(func(c *gin.Context) error {
		return &Error{Code: CodeMethodNotAllowed, Message: c.Request.Method + " is not a method of this route."}
	}))
	return engine
}

// Middleware returns the handlers that run before every other: trace, metrics, access log at debug level, recovery,
// the origins of pages, headers, the query, the body limit and the requests at a time. Without a logger they log nothing. It panics on
// TrustedProxies that are not valid.
func Middleware(cfg Config) []gin.HandlerFunc {
	if cfg.BodyLimit <= 0 {
		cfg.BodyLimit = defaultBodyLimit
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	handlers := []gin.HandlerFunc{observe(cfg), recovery, crossOrigin(cfg.Origins), protect(cfg)}
	if cfg.MaxInFlight > 0 {
		handlers = append(handlers, boundInFlight(cfg.MaxInFlight, cfg.Log))
	}
	return handlers
}

// observe starts the trace of a request and counts the request.
func observe(cfg Config) gin.HandlerFunc {
	m := newMetrics(cfg.Registerer)
	proxies, err := address.ParseProxies(cfg.TrustedProxies)
	if err != nil {
		panic(fmt.Sprintf("httpx: trusted proxies: %v", err))
	}
	var trusted any = proxies // once: an interface of a struct allocates
	tracer := otel.Tracer("github.com/taskwire/taskwire/pkg/platform/httpx")
	return func(c *gin.Context) {
		begin := time.Now()
		m.inFlight.Inc()
		route := c.FullPath()
		if route == "" {
			route = "none"
		}
		ctx := propagation.TraceContext{}.Extract(c.Request.Context(), propagation.HeaderCarrier(c.Request.Header))
		if !trace.SpanContextFromContext(ctx).IsValid() {
			ctx = trace.ContextWithSpanContext(ctx, newTrace())
		}
		method := knownMethod(c.Request.Method)
		ctx, span := tracer.Start(ctx, method+" "+route, trace.WithSpanKind(trace.SpanKindServer))
		c.Request = c.Request.WithContext(ctx)
		c.Set(logKey, cfg.Log)
		c.Set(proxiesKey, trusted)
		defer func() {
			status := c.Writer.Status()
			span.SetAttributes(attribute.Int("http.response.status_code", status))
			span.End()
			took := time.Since(begin)
			m.inFlight.Dec()
			m.observe(method, route, status, took)
			cfg.Log.DebugContext(ctx, "request", "method", method, "route", route, "status", status, "took", took.String())
		}()
		c.Next()
	}
}

// knownMethod keeps invented methods out of the metrics.
func knownMethod(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	}
	return "other"
}

// newTrace begins a trace for a request without one. Its id connects the log lines and the problem document of the
// request, even when no traces are collected.
func newTrace() trace.SpanContext {
	var tid trace.TraceID
	var sid trace.SpanID
	_, _ = rand.Read(tid[:]) // never fails (crypto/rand)
	_, _ = rand.Read(sid[:])
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: tid, SpanID: sid})
}

// recovery answers a panic with 500 and logs it with its stack. It passes http.ErrAbortHandler on.
func recovery(c *gin.Context) {
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler: // net/http compares it the same way
			panic(p)
		default:
			WriteError(c, Internal(fmt.Errorf("panic: %v\n%s", p, debug.Stack())))
		}
	}()
	c.Next()
}

// protect bounds the body, refuses a query that cannot be parsed on every route, and sets the headers that forbid browsers to
// guess the type of answers, to frame or to cache them, and to use plain HTTP where there is TLS.
func protect(cfg Config) gin.HandlerFunc {
	return func(c *gin.Context) {
		limit := cfg.BodyLimit
		if own, ok := cfg.BodyLimits[c.FullPath()]; ok {
			limit = own
		}
		h := c.Writer.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		if Encrypted(c) {
			h.Set("Strict-Transport-Security", strictTransport)
		}
		if err := readableQuery(c.Request.URL.RawQuery); err != nil {
			WriteError(c, err)
			return
		}
		if c.Request.ContentLength > limit {
			WriteError(c, &Error{Code: CodeTooLarge, Message: "The body is larger than this service accepts."})
			return
		}
		if c.Request.Body != nil {
			c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, limit)
		}
		c.Next()
	}
}
