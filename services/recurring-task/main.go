// Command recurring-task gives a completed occurrence of a recurring task its successor.
//
// run reads top to bottom and shows all that runs. The service has no database and no secrets; it starts without its
// sidecar, /readyz says so, and deliveries begin when it is there.
package main

import (
	"context"
	"io"

	"golang.org/x/sync/errgroup"

	"github.com/taskwire/taskwire/pkg/platform/config"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/pkg/platform/service"
	"github.com/taskwire/taskwire/pkg/platform/subscribe"
	"github.com/taskwire/taskwire/services/recurring-task/internal/domain"
	"github.com/taskwire/taskwire/services/recurring-task/internal/processed"
	"github.com/taskwire/taskwire/services/recurring-task/internal/subscriber"
	"github.com/taskwire/taskwire/services/recurring-task/internal/taskapi"
)

func main() { service.Main(appID, run) }

// run is the service, until ctx is done.
func run(ctx context.Context, out io.Writer) error {
	cfg, err := config.Load[settings]()
	if err != nil {
		return err
	}
	base, err := service.Start(ctx, appID, cfg.Base, out)
	if err != nil {
		return err
	}
	defer base.Close()
	log, metrics, sidecar := base.Log, base.Metrics, base.Sidecar
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
	group.Go(func() error { return base.AwaitSidecar(ctx, "completed tasks wait for their successors") })
	return group.Wait()
}
