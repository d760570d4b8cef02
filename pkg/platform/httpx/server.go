package httpx

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"time"

	"github.com/taskwire/taskwire/pkg/platform/edge"
)

const (
	// readHeaderTimeout closes the connection of a client that sends its headers byte by byte.
	readHeaderTimeout = 5 * time.Second
	// idleTimeout is longer than that of the usual load balancers (60 s), so that they never use a connection that the
	// server has just closed.
	idleTimeout = 120 * time.Second
	// maxHeaderBytes is several times the size of a token, a traceparent and a browser's usual headers.
	maxHeaderBytes = 32 << 10
)

// Serve listens on addr and serves until ctx ends. Then it accepts no new connections and waits for the running
// requests. It returns an error when it has to cut requests after shutdownTimeout. The owner of a hijacked connection
// (WebSocket) must close it. Package edge says how long a client may take.
func Serve(ctx context.Context, addr string, h http.Handler, log *slog.Logger, shutdownTimeout time.Duration) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", addr, err)
	}
	return ServeListener(ctx, l, h, log, shutdownTimeout)
}

// ServeListener serves on an open listener, like Serve, and closes it. It does not bound the number of connections.
func ServeListener(ctx context.Context, l net.Listener, h http.Handler, log *slog.Logger, shutdownTimeout time.Duration) error {
	return ServeLimited(ctx, l, edge.Limits{PerAddress: math.MaxInt, Total: math.MaxInt}, h, log, shutdownTimeout)
}

// ServeLimited serves on an open listener, like ServeListener, with limits on its connections.
func ServeLimited(ctx context.Context, l net.Listener, limits edge.Limits, h http.Handler, log *slog.Logger, shutdownTimeout time.Duration) error {
	return serve(ctx, edge.Limit(limits, l)[0], h, log, shutdownTimeout, edge.NewPatience(readHeaderTimeout, idleTimeout))
}

func serve(ctx context.Context, l net.Listener, h http.Handler, log *slog.Logger, shutdownTimeout time.Duration, p edge.Patience) error {
	srv := edge.NewServer(edge.Config{Handler: h, Patience: p, MaxHeaderBytes: maxHeaderBytes})
	srv.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelDebug) // mistakes of clients with their connections
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(l) }()
	log.InfoContext(ctx, "listening", "addr", l.Addr().String())
	select {
	case err := <-ended:
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	err := srv.Shutdown(drain)
	if err != nil {
		err = fmt.Errorf("shut down %s: requests were cut after %s: %w", l.Addr(), shutdownTimeout, errors.Join(err, srv.Close()))
	}
	<-ended //nolint:errcheck // ErrServerClosed
	return err
}
