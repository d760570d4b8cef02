// Command recurring-task gives a completed occurrence of a recurring task its successor.
//
// run reads top to bottom and shows all that runs. The service has no database and no secrets; it starts without its
// sidecar, /readyz says so, and deliveries begin when it is there.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/taskwire/taskwire/pkg/platform/config"
	"github.com/taskwire/taskwire/pkg/platform/dapr"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/pkg/platform/subscribe"
	"github.com/taskwire/taskwire/pkg/platform/telemetry"
	"github.com/taskwire/taskwire/services/recurring-task/internal/domain"
	"github.com/taskwire/taskwire/services/recurring-task/internal/processed"
	"github.com/taskwire/taskwire/services/recurring-task/internal/subscriber"
	"github.com/taskwire/taskwire/services/recurring-task/internal/taskapi"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", appID, err)
		os.Exit(1)
	}
}

// run is the service, until ctx is done.
func run(ctx context.Context, out io.Writer) error {
	cfg, err := config.Load[settings]()
	if err != nil {
		return err
	}
	tel, err := telemetry.Start(ctx, appID, cfg.LogLevel, cfg.OTLPEndpoint, out)
	if err != nil {
		return err
	}
	defer shutdown(tel, cfg.ShutdownTimeout)
	log, metrics := tel.Log, tel.Registry

	sidecar, err := dapr.New(dapr.Config{
		HTTPPort: cfg.DaprHTTPPort, GRPCPort: cfg.DaprGRPCPort, PubSub: cfg.DaprPubSub, StateStore: cfg.DaprStateStore,
		APIToken: cfg.DaprAPIToken, Log: log,
	})
	if err != nil {
		return err
	}
	defer sidecar.Close()
	engine := domain.NewEngine(taskapi.New(sidecar), processed.New(sidecar), log, metrics)

	public := httpx.NewEngine(httpx.Config{Service: appID, Log: log, Registerer: metrics})
	httpx.Health(public, map[string]func(context.Context) error{"sidecar": sidecar.Ready}, metrics)

	deliveries := subscribe.New(subscribe.Config{
		Token: cfg.AppAPIToken, Log: log, Registerer: metrics, DeadLetter: sidecar, Consumer: appID,
	})
	subscriber.New(engine).Subscribe(deliveries)

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return httpx.Serve(ctx, cfg.HTTPAddr, public, log, cfg.ShutdownTimeout) })
	group.Go(func() error {
		return httpx.Serve(ctx, cfg.AppAddr, deliveries.Handler(), log, cfg.ShutdownTimeout)
	})
	group.Go(func() error { return reportSidecar(ctx, sidecar, log) })
	return group.Wait()
}

// reportSidecar writes one line when there is no sidecar, and one when it has come.
func reportSidecar(ctx context.Context, sidecar interface{ Ready(context.Context) error }, log *slog.Logger) error {
	missing := false
	grace := time.After(sidecarGrace)
	for {
		err := sidecar.Ready(ctx)
		if err == nil {
			if missing {
				log.InfoContext(ctx, "the Dapr sidecar is there")
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-grace:
			missing = true
			log.WarnContext(ctx, "no Dapr sidecar: completed tasks get their successors when it is there", "error", err.Error())
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
