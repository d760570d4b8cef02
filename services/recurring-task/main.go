// Command recurring-task creates the successor of each completed occurrence of a recurring task.
//
// It has no database and no secrets. It starts without its sidecar: /readyz reports that, and deliveries begin when the
// sidecar is there.
package main

import (
	"context"
	"io"

	"golang.org/x/sync/errgroup"

	"github.com/taskwire/taskwire/pkg/platform/service"
	"github.com/taskwire/taskwire/services/recurring-task/internal/domain"
	"github.com/taskwire/taskwire/services/recurring-task/internal/processed"
	"github.com/taskwire/taskwire/services/recurring-task/internal/subscriber"
	"github.com/taskwire/taskwire/services/recurring-task/internal/taskapi"
)

func main() { service.Main(appID, run) }

// run runs the service until ctx ends or a part of it fails for good. It writes log lines to out.
func run(ctx context.Context, cfg settings, out io.Writer) error {
	base, err := service.Start(ctx, appID, cfg.Base, out)
	if err != nil {
		return err
	}
	defer base.Close()
	engine := domain.NewEngine(taskapi.New(base.Sidecar), processed.New(base.Sidecar), base.Log, base.Metrics)

	public := base.PublicEngine(service.PublicConfig{})
	deliveries := base.DaprSide()
	subscriber.New(engine).Subscribe(deliveries)

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return base.ServePublic(ctx, public) })
	group.Go(func() error { return base.ServeDapr(ctx, deliveries) })
	group.Go(func() error { return base.AwaitSidecar(ctx, "completed tasks wait for their successors") })
	return group.Wait()
}
