// Package gateway is the local reverse proxy: it puts the page, the API and the WebSocket of all services behind one
// origin, as Compose's proxy and Kubernetes' Ingress do. The routes and limits are those of package routes.
//
// Promises:
//   - Bodies and upgraded connections are streamed, never held back. The query reaches the service as the client wrote
//     it: the service refuses one that cannot be parsed, on every route.
//   - A body that is not complete or not in the form of HTTP is answered with 400, as the client's fault.
//   - The Host header is kept. Hop-by-hop headers, the headers of the Dapr side and the client's own X-Forwarded-* are
//     dropped; X-Forwarded-For, -Host and -Proto are set to what the gateway sees.
//   - Nothing of the inside (Dapr's routes, metrics) is reachable.
//   - A part that is down is answered with a problem document (RFC 9457) and Retry-After: 503 where the request never
//     reached the part, so that repeating it is safe, and 502 where it may have.
//   - A client that sends or reads too slowly is disconnected, and one address holds a bounded number of connections: see
//     package edge. The number of upgraded connections of an address is bounded by the websocket service.
//   - A gateway that is asked to stop finishes its requests. An upgraded connection ends when its service closes it, or
//     after DrainTimeout.
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

	"github.com/taskwire/taskwire/local/routes"
	"github.com/taskwire/taskwire/pkg/events/apps"
	"github.com/taskwire/taskwire/pkg/platform/edge"
)

// DrainTimeout is how long running requests and upgraded connections get to end.
const DrainTimeout = 3 * time.Second

// Config says what the gateway stands in front of.
type Config struct {
	Upstreams map[string]string // base URL of each public app, by the app's name
	Ready     map[string]string // what /readyz asks, by part: http://… has to answer 2xx, tcp://host:port to accept a connection
	Log       *slog.Logger      // default: discarded
}

// Gateway is the http.Handler.
type Gateway struct {
	log     *slog.Logger
	proxies map[string]http.Handler
	ready   *readiness
	idle    func() // closes the idle connections to the upstreams

	patience edge.Patience
	limits   edge.Limits

	// running are the requests in progress. http.Server.Shutdown does not wait for the upgraded ones among them.
	running sync.WaitGroup
}

// New returns a gateway, or an error that names what is missing in its configuration.
func New(cfg Config) (*Gateway, error) {
	g := &Gateway{
		log: cfg.Log, proxies: map[string]http.Handler{},
		patience: edge.NewPatience(routes.ReadHeaderTimeout, routes.IdleTimeout),
		limits:   edge.Limits{PerAddress: routes.MaxPerAddress, Total: routes.MaxConnections},
	}
	if g.log == nil {
		g.log = slog.New(slog.DiscardHandler)
	}
	g.limits.Log = g.log
	transport := newTransport()
	g.idle = transport.CloseIdleConnections
	for _, name := range apps.Public() {
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
	g.running.Add(1)
	defer g.running.Done()
	w.Header().Set(noSniff, "nosniff") // of every answer, also those of the services: see ModifyResponse
	switch r.URL.Path {
	case routes.HealthPath:
		if !onlyGet(w, r) {
			return
		}
		writeJSON(w, r, http.StatusOK, "application/json", map[string]string{"status": "ok"})
		return
	case routes.ReadyPath:
		if !onlyGet(w, r) {
			return
		}
		g.ready.ServeHTTP(w, r)
		return
	}
	proxy, ok := g.proxies[routes.App(r.URL.Path)]
	if !ok {
		problem(w, r, http.StatusNotFound, "there is nothing at this address")
		return
	}
	if r.URL.Path == routes.ImportPath {
		// net/http would read the rest of the request before the answer begins. HTTP/2 always allows both and returns an
		// error here, which does not matter.
		_ = http.NewResponseController(w).EnableFullDuplex()
	}
	proxy.ServeHTTP(w, watchBody(r))
}

// pace returns the pace of a request's body. An import may be slower than other bodies: the task API decides, and the
// gateway waits a little longer, so that the client gets the task API's answer.
func (g *Gateway) pace(r *http.Request) edge.Pace {
	if r.URL.Path == routes.ImportPath {
		return edge.Pace{Stall: routes.ImportStall, Rate: routes.ImportRate}
	}
	return g.patience.Body
}

// Serve serves on all listeners until ctx is done, then waits for running requests for at most DrainTimeout.
func (g *Gateway) Serve(ctx context.Context, listeners ...net.Listener) error {
	base, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	srv := edge.NewServer(edge.Config{
		Handler: g, MaxHeaderBytes: routes.MaxHeaderKiB << 10,
		Patience: g.patience, Pace: g.pace,
	})
	srv.BaseContext = func(net.Listener) context.Context { return base }
	srv.ErrorLog = slog.NewLogLogger(g.log.Handler(), slog.LevelDebug)
	ended := make(chan error, len(listeners))
	for _, l := range edge.Limit(g.limits, listeners...) {
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
	go func() { g.running.Wait(); close(done) }()
	select {
	case <-done:
	case <-drain.Done():
		cut() // ends the upgraded connections
		srv.Close()
		<-done
	}
	return err
}
