// Command notification delivers reminders when they are due and keeps each user's notifications.
//
// It starts without its database and without its sidecar. /readyz reports what is missing, and work begins when that is
// there.
package main

import (
	"context"
	"io"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/pkg/platform/database"
	"github.com/taskwire/taskwire/pkg/platform/inbox"
	"github.com/taskwire/taskwire/pkg/platform/outbox"
	"github.com/taskwire/taskwire/pkg/platform/outbox/daprpublisher"
	"github.com/taskwire/taskwire/pkg/platform/service"
	"github.com/taskwire/taskwire/services/notification/internal/domain"
	"github.com/taskwire/taskwire/services/notification/internal/httpapi"
	"github.com/taskwire/taskwire/services/notification/internal/invocation"
	"github.com/taskwire/taskwire/services/notification/internal/postgres"
	"github.com/taskwire/taskwire/services/notification/internal/subscriber"
	"github.com/taskwire/taskwire/services/notification/internal/taskapi"
)

func main() { service.Main(appID, run, database.MigrateCommand(postgres.Migrations()...)) }

// run runs the service until ctx ends or a part of it fails for good. It writes log lines to out.
func run(ctx context.Context, cfg settings, out io.Writer) error {
	base, err := service.Start(ctx, appID, cfg.Base, out)
	if err != nil {
		return err
	}
	defer base.Close()
	log, metrics, sidecar := base.Log, base.Metrics, base.Sidecar
	secret, err := base.Secrets(ctx, secretDatabase)
	if err != nil {
		return err
	}
	db, err := database.Open(ctx, base, database.Config{URL: secret[secretDatabase], Migrations: postgres.Migrations()})
	if err != nil {
		return err
	}
	defer db.Close()

	events := outbox.New(db.Handle, log)
	store := postgres.New(db.Handle, events)
	received := inbox.New(db.Handle, appID)
	engine := domain.NewEngine(store, time.Now, log, metrics)
	mailbox := domain.NewMailbox(store, time.Now, engine.Wake)
	relay, err := outbox.NewRelay(outbox.RelayConfig{
		DB: db.Handle, URL: db.URL, Outbox: events, Publisher: daprpublisher.New(sidecar), Log: log, Registerer: metrics, Name: appID + "-relay",
	})
	if err != nil {
		return err
	}

	access := base.Access(service.AccessConfig{Keys: base.TaskAPIKeys})
	public := base.PublicEngine(service.PublicConfig{})
	httpapi.Register(public, mailbox, auth.Middleware(access.Tokens))
	deliveries := base.DaprSide()
	subscriber.New(received, store, engine.Wake, log).Subscribe(deliveries)
	invocation.Register(deliveries, store)

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return base.ServePublic(ctx, public) })
	group.Go(func() error { return base.ServeDapr(ctx, deliveries) })
	group.Go(func() error {
		return base.AwaitSidecar(ctx, "reminders are added to the lists, and their events wait in the outbox")
	})
	group.Go(func() error { return access.Run(ctx) })
	group.Go(func() error { return db.AwaitMigration(ctx) })
	group.Go(db.AfterMigration(ctx, engine.Run))
	group.Go(db.AfterMigration(ctx, domain.NewJanitor(store, taskapi.New(sidecar), cfg.AccountCheckEvery, log).Run))
	group.Go(db.AfterMigration(ctx, relay.Run))
	group.Go(db.AfterMigration(ctx, func(ctx context.Context) error { return prune(ctx, received, store, log) }))
	return group.Wait()
}
