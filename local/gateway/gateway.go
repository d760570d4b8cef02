// Package gateway puts the page, the API and the WebSocket of all services behind one origin, as an ingress does in
// Kubernetes.
//
// Promises: bodies and upgraded connections are streamed, never held; the Host is kept, the hop-by-hop headers and
// what a client claims in X-Forwarded-* are dropped, and X-Forwarded-For, -Host and -Proto tell the truth; nothing of
// the inside (Dapr's routes, metrics) is reachable; a part that is down is answered with a problem document (RFC 9457)
// and Retry-After: 503 where the request never reached it, so that repeating it is safe, and 502 where it may have.
// When it is told to stop it finishes requests, and upgraded connections end when their service closes them.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// readHeaderTimeout is enough for the slowest honest client, and little for one that holds connections.
	readHeaderTimeout = 10 * time.Second
	// idleTimeout is longer than the pauses of a person who reads a page.
	idleTimeout = 2 * time.Minute
	// maxHeaderBytes holds every token and cookie that is in use here several times over.
	maxHeaderBytes = 64 << 10
	// DrainTimeout is how long running requests and upgraded connections get to end.
	DrainTimeout = 3 * time.Second
)

// Config is what the gateway stands in front of.
type Config struct {
	Upstreams map[string]string // base URL of each of TaskAPI, Audit, Notification, WebSocket
	Ready     map[string]string // what /readyz asks, by part: http://… wants a 2xx, tcp://host:port a connection
	Log       *slog.Logger
}

// Gateway is the http.Handler.
type Gateway struct {
	log     *slog.Logger
	proxies map[string]http.Handler
	ready   *readiness
	idle    func() // closes the idle connections to the upstreams

	tunnels sync.WaitGroup // running requests, upgraded ones too, which http.Server.Shutdown does not wait for
}

// New returns a gateway, or an error that names what is missing in its configuration.
func New(cfg Config) (*Gateway, error) {
	g := &Gateway{log: cfg.Log, proxies: map[string]http.Handler{}}
	if g.log == nil {
		g.log = slog.New(slog.DiscardHandler)
	}
	transport := newTransport()
	g.idle = transport.CloseIdleConnections
	for _, name := range []string{TaskAPI, Audit, Notification, WebSocket} {
		p, err := newProxy(name, cfg.Upstreams[name], transport, g.log)
		if err != nil {
			return nil, err
		}
		g.proxies[name] = p
	}
	var err error
	if g.ready, err = newReadiness(cfg.Ready); err != nil {
		return nil, err
	}
	return g, nil
}

func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.tunnels.Add(1)
	defer g.tunnels.Done()
	w.Header().Set("X-Content-Type-Options", "nosniff")
	switch r.URL.Path {
	case "/healthz":
		if !onlyGet(w, r) {
			return
		}
		writeJSON(w, r, http.StatusOK, "application/json", map[string]string{"status": "ok"})
		return
	case "/readyz":
		if !onlyGet(w, r) {
			return
		}
		g.ready.ServeHTTP(w, r)
		return
	}
	proxy, ok := g.proxies[upstreamOf(r.URL.Path)]
	if !ok {
		problem(w, r, http.StatusNotFound, "there is nothing at this address")
		return
	}
	if r.URL.Path == importPath {
		// The report begins before the file has ended. HTTP/2 allows that anyway, and says that it cannot be asked to.
		_ = http.NewResponseController(w).EnableFullDuplex()
	}
	proxy.ServeHTTP(w, r)
}

// Serve serves on all listeners until ctx is done, then drains.
func (g *Gateway) Serve(ctx context.Context, listeners ...net.Listener) error {
	base, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	srv := &http.Server{
		Handler: g, ReadHeaderTimeout: readHeaderTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		BaseContext: func(net.Listener) context.Context { return base },
		ErrorLog:    slog.NewLogLogger(g.log.Handler(), slog.LevelDebug),
	}
	ended := make(chan error, len(listeners))
	for _, l := range listeners {
		go func() { ended <- srv.Serve(l) }()
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-ended:
		err = fmt.Errorf("serve: %w", err)
	}
	defer g.idle()
	drain, cancel := context.WithTimeout(base, DrainTimeout)
	defer cancel()
	if e := srv.Shutdown(drain); e != nil && !errors.Is(e, context.DeadlineExceeded) {
		err = errors.Join(err, fmt.Errorf("shut down: %w", e))
	}
	done := make(chan struct{})
	go func() { g.tunnels.Wait(); close(done) }()
	select {
	case <-done:
	case <-drain.Done():
		cut() // ends the upgraded connections
		srv.Close()
		<-done
	}
	return err
}
