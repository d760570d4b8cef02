// Command notification delivers reminders when they are due and keeps each user's notifications.
//
// run reads top to bottom and shows all that runs. The service starts without its database and without its sidecar:
// /readyz says what is missing, and work begins when it is there.
package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/pkg/platform/config"
	"github.com/taskwire/taskwire/pkg/platform/dapr"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/pkg/platform/inbox"
	"github.com/taskwire/taskwire/pkg/platform/outbox"
	"github.com/taskwire/taskwire/pkg/platform/postgres"
	"github.com/taskwire/taskwire/pkg/platform/secrets"
	"github.com/taskwire/taskwire/pkg/platform/subscribe"
	"github.com/taskwire/taskwire/pkg/platform/telemetry"
	"github.com/taskwire/taskwire/services/notification/internal/domain"
	"github.com/taskwire/taskwire/services/notification/internal/httpapi"
	store "github.com/taskwire/taskwire/services/notification/internal/postgres"
	"github.com/taskwire/taskwire/services/notification/internal/subscriber"
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
	secret, err := secrets.Load(ctx, sidecar, cfg.Base, appID, log)
	if err != nil {
		return err
	}
	if err := secret.Require(secretDatabase, secretMigrate); err != nil {
		return err
	}
	db, err := postgres.Open(ctx, postgres.Config{URL: secret[secretDatabase], AppName: appID})
	if err != nil {
		return err
	}
	defer postgres.Close(db)
	schema := newSchema(db, func(ctx context.Context) error {
		return postgres.Migrate(ctx, secret[secretMigrate], log, store.Migrations()...)
	})

	events := outbox.New(db, log)
	data := store.New(db, events)
	received := inbox.New(db, appID)
	engine := domain.NewEngine(data, time.Now, log, metrics)
	mailbox := domain.NewMailbox(data, time.Now, engine.Wake)
	relay, err := outbox.NewRelay(outbox.RelayConfig{
		DB: db, URL: secret[secretDatabase], Outbox: events, Publisher: sidecar, Log: log, Registerer: metrics, Name: appID + "-relay",
	})
	if err != nil {
		return err
	}

	tokens := auth.NewVerifier(func(ctx context.Context) ([]byte, error) {
		_, keys, err := sidecar.Invoke(ctx, "task-api", http.MethodGet, "internal/jwks", nil)
		return keys, err
	}, log)
	public := httpx.NewEngine(httpx.Config{Service: appID, Log: log, Registerer: metrics})
	httpx.Health(public, map[string]func(context.Context) error{"database": schema.Ready, "sidecar": sidecar.Ready}, metrics)
	public.Use(schema.guard)
	httpapi.Routes(public, mailbox, auth.Middleware(tokens))

	deliveries := subscribe.New(subscribe.Config{
		Token: cfg.AppAPIToken, Log: log, Registerer: metrics, DeadLetter: sidecar, Consumer: appID, Health: schema.Ready,
	})
	subscriber.New(received, data, engine.Wake, log).Subscribe(deliveries)

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return httpx.Serve(ctx, cfg.HTTPAddr, public, log, cfg.ShutdownTimeout) })
	group.Go(func() error { return reportSidecar(ctx, sidecar, log) })
	group.Go(func() error { return schema.Run(ctx) })
	// What follows works on the tables: it begins when they are there. Until then the sidecar finds the port closed, and
	// delivers nothing.
	group.Go(schema.then(ctx, func() error {
		return httpx.Serve(ctx, cfg.AppAddr, deliveries.Handler(), log, cfg.ShutdownTimeout)
	}))
	group.Go(schema.then(ctx, func() error { return engine.Run(ctx) }))
	group.Go(schema.then(ctx, func() error { return relay.Run(ctx) }))
	group.Go(schema.then(ctx, func() error { return prune(ctx, received, log) }))
	return group.Wait()
}

func shutdown(tel *telemetry.Telemetry, timeout time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	if err := tel.Shutdown(ctx); err != nil {
		tel.Log.Warn("telemetry was not sent in full", "error", err.Error())
	}
}
