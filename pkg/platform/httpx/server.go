package httpx

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

const (
	// readHeaderTimeout frees a connection from a client that sends its headers byte by byte.
	readHeaderTimeout = 5 * time.Second
	// readTimeout is for the whole request: 1 MiB from a slow phone.
	readTimeout = 30 * time.Second
	// writeTimeout is for the whole answer. A handler that streams for longer moves it with http.ResponseController.
	writeTimeout = 60 * time.Second
	// idleTimeout is above that of the usual load balancers (60 s), so that they close first and never meet a closed one.
	idleTimeout = 120 * time.Second
	// maxHeaderBytes holds a token, a traceparent and a browser's usual headers several times over.
	maxHeaderBytes = 32 << 10
)

// Serve listens on addr and serves until ctx ends. Then it takes no new connection and waits for the running requests,
// shutdownTimeout at most; requests that run longer are cut, which is an error. Hijacked connections (WebSockets) are
// their owner's to close.
func Serve(ctx context.Context, addr string, h http.Handler, log *slog.Logger, shutdownTimeout time.Duration) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", addr, err)
	}
	return ServeListener(ctx, l, h, log, shutdownTimeout)
}

// patience is how long a server waits for a client.
type patience struct{ readHeader, read, write, idle time.Duration }

// ServeListener is Serve on a listener that is open already. It closes it.
func ServeListener(ctx context.Context, l net.Listener, h http.Handler, log *slog.Logger, shutdownTimeout time.Duration) error {
	return serve(ctx, l, h, log, shutdownTimeout, patience{readHeaderTimeout, readTimeout, writeTimeout, idleTimeout})
}

func serve(ctx context.Context, l net.Listener, h http.Handler, log *slog.Logger, shutdownTimeout time.Duration, p patience) error {
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: p.readHeader,
		ReadTimeout:       p.read,
		WriteTimeout:      p.write,
		IdleTimeout:       p.idle,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug), // what clients do wrong with their connections
	}
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
