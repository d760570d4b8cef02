package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/pkg/platform/telemetry"
)

// listen opens both addresses, so that a port that is taken is said before anything else is done.
func listen(ctx context.Context, cfg settings) (public, app net.Listener, err error) {
	var lc net.ListenConfig
	if public, err = lc.Listen(ctx, "tcp", cfg.HTTPAddr); err != nil {
		return nil, nil, fmt.Errorf("listen on HTTP_ADDR %s: %w", cfg.HTTPAddr, err)
	}
	if app, err = lc.Listen(ctx, "tcp", cfg.AppAddr); err != nil {
		public.Close()
		return nil, nil, fmt.Errorf("listen on APP_ADDR %s: %w", cfg.AppAddr, err)
	}
	return public, app, nil
}

// gate keeps requests from a database that is not migrated yet.
type gate struct{ opened chan struct{} }

func newGate() *gate { return &gate{opened: make(chan struct{})} }

func (g *gate) open() { close(g.opened) }

var errMigrating = errors.New("the database is not migrated yet")

// check is nil once the gate is open.
func (g *gate) check(context.Context) error {
	select {
	case <-g.opened:
		return nil
	default:
		return errMigrating
	}
}

func (g *gate) middleware(c *gin.Context) {
	if err := g.check(c); err != nil {
		httpx.WriteError(c, httpx.Unavailable("The service is starting. Try again.", retryMigrating, err))
	}
}

// reportSidecar writes one line when there is no sidecar, and one when it has come.
func reportSidecar(ctx context.Context, sidecar interface{ Ready(context.Context) error }, log *slog.Logger) error {
	missing := false
	grace := time.After(sidecarGrace)
	for {
		err := sidecar.Ready(ctx)
		if err == nil {
			if missing {
				log.InfoContext(ctx, "the Dapr sidecar is there; the outbox is being emptied")
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-grace:
			missing = true
			log.WarnContext(ctx, "no Dapr sidecar: writes go on, and the outbox holds the events until it is there", "error", err.Error())
		case <-time.After(sidecarPoll):
		}
	}
}

func shutdown(tel *telemetry.Telemetry, timeout time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	if err := tel.Shutdown(ctx); err != nil {
		tel.Log.Warn("telemetry was not sent in full", "error", err.Error())
	}
}
