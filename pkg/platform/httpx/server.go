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
	// readHeaderTimeout closes the connection of a client that sends its headers byte by byte.
	readHeaderTimeout = 5 * time.Second
	// readTimeout bounds the whole request. A slow phone can send 1 MiB within it.
	readTimeout = 30 * time.Second
	// writeTimeout bounds the whole answer. A handler that streams for longer extends it with http.ResponseController.
	writeTimeout = 60 * time.Second
	// idleTimeout is longer than that of the usual load balancers (60 s), so that they never use a connection that the
	// server has just closed.
	idleTimeout = 120 * time.Second
	// maxHeaderBytes is several times the size of a token, a traceparent and a browser's usual headers.
	maxHeaderBytes = 32 << 10
)

// Serve listens on addr and serves until ctx ends. Then it accepts no new connections and waits for the running
// requests. It returns an error when it has to cut requests after shutdownTimeout. The owner of a hijacked connection
// (WebSocket) must close it.
func Serve(ctx context.Context, addr string, h http.Handler, log *slog.Logger, shutdownTimeout time.Duration) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", addr, err)
	}
	return ServeListener(ctx, l, h, log, shutdownTimeout)
}

// patience holds the times that a server waits for a client.
type patience struct{ readHeader, read, write, idle time.Duration }

// ServeListener serves on an open listener, like Serve, and closes it.
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
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug), // mistakes of clients with their connections
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
