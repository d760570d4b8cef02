// Command websocket sends each user's changes and notifications to the user's open browsers. It keeps nothing: events
// come from Dapr (every replica gets every event), and what a replica missed or a browser slept through is read from the
// task API.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sync/errgroup"

	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/pkg/platform/config"
	"github.com/taskwire/taskwire/pkg/platform/dapr"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/pkg/platform/subscribe"
	"github.com/taskwire/taskwire/pkg/platform/telemetry"
	"github.com/taskwire/taskwire/services/websocket/internal/httpapi"
	"github.com/taskwire/taskwire/services/websocket/internal/hub"
	"github.com/taskwire/taskwire/services/websocket/internal/socket"
	"github.com/taskwire/taskwire/services/websocket/internal/subscriber"
	"github.com/taskwire/taskwire/services/websocket/internal/taskapi"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "websocket:", err)
		os.Exit(1)
	}
}

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
	tel, err := telemetry.Start(ctx, app, cfg.LogLevel, cfg.OTLPEndpoint, out)
	if err != nil {
		return err
	}
	defer func() { _ = tel.Shutdown(context.WithoutCancel(ctx)) }() // what is still buffered is lost: it is telemetry
	sidecar, err := dapr.New(dapr.Config{
		HTTPPort: cfg.DaprHTTPPort, GRPCPort: cfg.DaprGRPCPort, PubSub: cfg.DaprPubSub, StateStore: cfg.DaprStateStore,
		APIToken: cfg.DaprAPIToken, Log: tel.Log,
	})
	if err != nil {
		return err
	}
	defer func() { _ = sidecar.Close() }() // nothing is left to do with it
	tasks := taskapi.New(sidecar)

	// Domain: the hub gives changes to users, the pool holds their connections.
	limits := hub.DefaultLimits()
	limits.PerUser = cfg.MaxPerUser
	users := hub.New(hub.Config{Source: tasks, Log: tel.Log, Metrics: hub.NewMetrics(tel.Registry), Limits: limits})
	defer users.Close()
	settings := socket.DefaultSettings()
	settings.MaxConns = cfg.MaxConnections
	pool := socket.NewPool(settings, tel.Registry)

	// Public side.
	public := httpx.NewEngine(httpx.Config{Service: app, Log: tel.Log, Registerer: tel.Registry})
	verifier := auth.NewVerifier(tasks.Keys, tel.Log)
	httpx.Health(public, map[string]func(context.Context) error{"sidecar": sidecar.Ready, "keys": verifier.Ready}, tel.Registry)
	httpapi.Routes(public, httpapi.Config{
		Hub: users, Pool: pool, Verifier: verifier, Origins: origins, AuthWait: settings.AuthWait, Log: tel.Log,
	})

	// Dapr side. It can always take a delivery: there is nothing behind it but memory.
	deliveries := subscribe.New(subscribe.Config{
		Token: cfg.AppAPIToken, Log: tel.Log, Registerer: tel.Registry, DeadLetter: sidecar, Consumer: app,
		Health: func(context.Context) error { return nil },
	})
	subscriber.Subscribe(deliveries, users)

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return users.Run(ctx) })
	group.Go(func() error { return pool.Run(ctx) })
	group.Go(func() error { return httpx.Serve(ctx, cfg.HTTPAddr, public, tel.Log, cfg.ShutdownTimeout) })
	group.Go(func() error {
		return httpx.Serve(ctx, cfg.AppAddr, deliveries.Handler(), tel.Log, cfg.ShutdownTimeout)
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
