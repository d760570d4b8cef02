// Command notification delivers reminders when they are due and keeps each user's notifications.
//
// run reads top to bottom and shows all that runs. The service starts without its database and without its sidecar:
// /readyz says what is missing, and work begins when it is there.
package main

import (
	"context"
	"io"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/pkg/platform/config"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/pkg/platform/inbox"
	"github.com/taskwire/taskwire/pkg/platform/outbox"
	"github.com/taskwire/taskwire/pkg/platform/outbox/daprpublisher"
	"github.com/taskwire/taskwire/pkg/platform/postgres"
	"github.com/taskwire/taskwire/pkg/platform/service"
	"github.com/taskwire/taskwire/pkg/platform/subscribe"
	"github.com/taskwire/taskwire/services/notification/internal/domain"
	"github.com/taskwire/taskwire/services/notification/internal/httpapi"
	store "github.com/taskwire/taskwire/services/notification/internal/postgres"
	"github.com/taskwire/taskwire/services/notification/internal/subscriber"
	"github.com/taskwire/taskwire/services/notification/internal/taskapi"
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
	secret, err := base.Secrets(ctx, secretDatabase, secretMigrate)
	if err != nil {
		return err
	}
	db, err := postgres.Open(ctx, postgres.Config{URL: secret[secretDatabase], AppName: appID})
	if err != nil {
		return err
	}
	defer postgres.Close(db)
	schema := service.NewSchema(db, func(ctx context.Context) error {
		return postgres.Migrate(ctx, secret[secretMigrate], log, store.Migrations()...)
	})

	events := outbox.New(db, log)
	data := store.New(db, events)
	received := inbox.New(db, appID)
	engine := domain.NewEngine(data, time.Now, log, metrics)
	mailbox := domain.NewMailbox(data, time.Now, engine.Wake)
	relay, err := outbox.NewRelay(outbox.RelayConfig{
		DB: db, URL: secret[secretDatabase], Outbox: events, Publisher: daprpublisher.New(sidecar), Log: log, Registerer: metrics, Name: appID + "-relay",
	})
	if err != nil {
		return err
	}

	tokens := base.Tokens(func(ctx context.Context) ([]byte, error) {
		_, keys, err := sidecar.Invoke(ctx, "task-api", http.MethodGet, "internal/jwks", nil)
		return keys, err
	})
	public := httpx.NewEngine(httpx.Config{Service: appID, Log: log, Registerer: metrics})
	httpx.Health(public, map[string]func(context.Context) error{"database": schema.Ready, "sidecar": sidecar.Ready}, metrics)
	public.Use(schema.Guard)
	httpapi.Routes(public, mailbox, auth.Middleware(tokens))

	deliveries := subscribe.New(subscribe.Config{
		Token: cfg.AppAPIToken, Log: log, Registerer: metrics, DeadLetter: sidecar, Consumer: appID, Health: schema.Ready,
	})
	subscriber.New(received, data, engine.Wake, log).Subscribe(deliveries)

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return httpx.Serve(ctx, cfg.HTTPAddr, public, log, cfg.ShutdownTimeout) })
	group.Go(func() error {
		return base.AwaitSidecar(ctx, "reminders are delivered to the list, events wait in the outbox")
	})
	group.Go(func() error { return schema.Run(ctx) })
	// What follows works on the tables: it begins when they are there. Until then the sidecar finds the port closed, and
	// delivers nothing.
	group.Go(schema.Then(ctx, func(ctx context.Context) error {
		return httpx.Serve(ctx, cfg.AppAddr, deliveries.Handler(), log, cfg.ShutdownTimeout)
	}))
	group.Go(schema.Then(ctx, engine.Run))
	group.Go(schema.Then(ctx, domain.NewJanitor(data, taskapi.New(sidecar), cfg.AccountCheckEvery, log).Run))
	group.Go(schema.Then(ctx, relay.Run))
	group.Go(schema.Then(ctx, func(ctx context.Context) error { return prune(ctx, received, log) }))
	return group.Wait()
}
