// Command websocket sends each user's changes and notifications to the user's open browsers. It stores nothing. Events
// come from Dapr, and every replica gets every event. What a replica or a browser missed is read from the task API and from the
// notification service.
package main

import (
	"context"
	"io"

	"golang.org/x/sync/errgroup"

	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/pkg/platform/service"
	"github.com/taskwire/taskwire/services/websocket/internal/history"
	"github.com/taskwire/taskwire/services/websocket/internal/httpapi"
	"github.com/taskwire/taskwire/services/websocket/internal/hub"
	"github.com/taskwire/taskwire/services/websocket/internal/socket"
	"github.com/taskwire/taskwire/services/websocket/internal/subscriber"
)

func main() { service.Main(appID, run) }

// run runs the service until ctx ends or a part of it fails for good. It writes log lines to out.
func run(ctx context.Context, cfg settings, out io.Writer) error {
	origins, err := httpapi.NewOrigins(cfg.AllowedOrigins)
	if err != nil {
		return err
	}
	base, err := service.Start(ctx, appID, cfg.Base, out)
	if err != nil {
		return err
	}
	defer base.Close()

	// The hub routes changes to users, and the pool holds their connections.
	limits := hub.DefaultLimits()
	limits.PerUser = cfg.MaxPerUser
	users := hub.New(hub.Config{
		Tasks: history.Tasks(base.Sidecar), Notifications: history.Notifications(base.Sidecar),
		Log: base.Log, Metrics: hub.NewMetrics(base.Metrics), Limits: limits,
	})
	defer users.Close()
	connections := socket.DefaultSettings()
	connections.MaxConns = cfg.MaxConnections
	if cfg.MaxPerAddress > 0 {
		connections.MaxPerAddress = cfg.MaxPerAddress
	}
	pool := socket.NewPool(connections, base.Metrics)

	access := base.Access(service.AccessConfig{Keys: base.TaskAPIKeys})
	access.Revocations.OnApply(func(e auth.Revocation) { // an ended account is found by a sweep: its sockets see the deletions first
		if e.Kind == auth.RevokedSession || e.Kind == auth.RevokedToken {
			users.EndSession(e.UserID, e.ID)
		}
	})
	public := base.PublicEngine(service.PublicConfig{
		Ready: map[string]func(context.Context) error{"keys": access.Tokens.Ready}, Upgraded: cfg.MaxConnections,
	})
	httpapi.Register(public, httpapi.Config{
		Hub: users, Pool: pool, Verifier: access.Tokens, Sessions: access.Revocations, Origins: origins, Log: base.Log,
		AuthWait: connections.AuthWait, WelcomeWait: connections.WelcomeWait, PersonalLife: auth.AccessTokenLife,
	})
	deliveries := base.DaprSide()
	subscriber.Subscribe(deliveries, users, access.Revocations)

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return base.ServePublic(ctx, public) })
	group.Go(func() error { return base.ServeDapr(ctx, deliveries) })
	group.Go(func() error {
		return base.AwaitSidecar(ctx, "no events arrive, and clients that connect are asked to try again")
	})
	group.Go(func() error { return access.Run(ctx) })
	group.Go(func() error { return users.Run(ctx) })
	group.Go(func() error { return pool.Run(ctx) })
	group.Go(func() error { // http.Server does not close upgraded connections
		<-ctx.Done()
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.ShutdownTimeout)
		defer cancel()
		pool.Drain(drain)
		return nil
	})
	return group.Wait()
}
