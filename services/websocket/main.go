// Command websocket sends each user's changes and notifications to the user's open browsers. It keeps nothing: events
// come from Dapr (every replica gets every event), and what a replica missed or a browser slept through is read from the
// task API.
package main

import (
	"context"
	"io"

	"golang.org/x/sync/errgroup"

	"github.com/taskwire/taskwire/pkg/platform/config"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/pkg/platform/service"
	"github.com/taskwire/taskwire/pkg/platform/subscribe"
	"github.com/taskwire/taskwire/services/websocket/internal/httpapi"
	"github.com/taskwire/taskwire/services/websocket/internal/hub"
	"github.com/taskwire/taskwire/services/websocket/internal/socket"
	"github.com/taskwire/taskwire/services/websocket/internal/subscriber"
	"github.com/taskwire/taskwire/services/websocket/internal/taskapi"
)

func main() { service.Main(app, run) }

// run is the whole service, until ctx is done or a part of it fails for good. Log lines go to out.
func run(ctx context.Context, out io.Writer) error {
	cfg, err := config.Load[Config]()
	if err != nil {
		return err
	}
	origins, err := httpapi.NewOrigins(cfg.AllowedOrigins)
	if err != nil {
		return err
	}
	base, err := service.Start(ctx, app, cfg.Base, out)
	if err != nil {
		return err
	}
	defer base.Close()
	tasks := taskapi.New(base.Sidecar)

	// Domain: the hub gives changes to users, the pool holds their connections.
	limits := hub.DefaultLimits()
	limits.PerUser = cfg.MaxPerUser
	users := hub.New(hub.Config{Source: tasks, Log: base.Log, Metrics: hub.NewMetrics(base.Metrics), Limits: limits})
	defer users.Close()
	settings := socket.DefaultSettings()
	settings.MaxConns = cfg.MaxConnections
	pool := socket.NewPool(settings, base.Metrics)

	// Public side.
	public := httpx.NewEngine(httpx.Config{Service: app, Log: base.Log, Registerer: base.Metrics})
	verifier := base.Tokens(tasks.Keys)
	httpx.Health(public, map[string]func(context.Context) error{"sidecar": base.Sidecar.Ready, "keys": verifier.Ready}, base.Metrics)
	httpapi.Routes(public, httpapi.Config{
		Hub: users, Pool: pool, Verifier: verifier, Origins: origins, AuthWait: settings.AuthWait, Log: base.Log,
	})

	// Dapr side. It can always take a delivery: there is nothing behind it but memory.
	deliveries := subscribe.New(subscribe.Config{
		Token: cfg.AppAPIToken, Log: base.Log, Registerer: base.Metrics, DeadLetter: base.Sidecar, Consumer: app,
		Health: func(context.Context) error { return nil },
	})
	subscriber.Subscribe(deliveries, users)

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		return base.AwaitSidecar(ctx, "nothing new arrives, and who connects is asked to try again")
	})
	group.Go(func() error { return users.Run(ctx) })
	group.Go(func() error { return pool.Run(ctx) })
	group.Go(func() error { return httpx.Serve(ctx, cfg.HTTPAddr, public, base.Log, cfg.ShutdownTimeout) })
	group.Go(func() error {
		return httpx.Serve(ctx, cfg.AppAddr, deliveries.Handler(), base.Log, cfg.ShutdownTimeout)
	})
	group.Go(func() error { // the servers do not know connections that were upgraded
		<-ctx.Done()
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.ShutdownTimeout)
		defer cancel()
		pool.Drain(drain)
		return nil
	})
	return group.Wait()
}
