// Command audit keeps the audit log: it takes task-events from Dapr, appends each exactly once to a Merkle tree in
// Postgres, and answers queries, signed checkpoints and proofs.
//
// It starts without its sidecar and without its database: /readyz then says what is missing, deliveries wait in Kafka,
// and it goes on as soon as both are there.
package main

import (
	"context"
	"io"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/pkg/platform/config"
	"github.com/taskwire/taskwire/pkg/platform/dapr"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/pkg/platform/postgres"
	"github.com/taskwire/taskwire/pkg/platform/service"
	"github.com/taskwire/taskwire/pkg/platform/subscribe"
	"github.com/taskwire/taskwire/services/audit/internal/domain"
	"github.com/taskwire/taskwire/services/audit/internal/httpapi"
	store "github.com/taskwire/taskwire/services/audit/internal/postgres"
	"github.com/taskwire/taskwire/services/audit/internal/subscriber"
)

func main() { service.Main(app, run) }

// run is the whole service, until ctx is done or a part of it fails for good. Log lines go to out.
func run(ctx context.Context, out io.Writer) error {
	cfg, err := config.Load[Config]()
	if err != nil {
		return err
	}
	base, err := service.Start(ctx, app, cfg.Base, out)
	if err != nil {
		return err
	}
	defer base.Close()
	secret, err := base.Secrets(ctx, secretDatabase, secretMigrate, secretCheckpoint)
	if err != nil {
		return err
	}

	// Database and domain.
	db, err := postgres.Open(ctx, postgres.Config{URL: secret[secretDatabase], AppName: app})
	if err != nil {
		return err
	}
	entries := store.New(db)
	log, err := domain.NewLog(entries, secret[secretCheckpoint])
	if err != nil {
		return err
	}
	appender := domain.NewAppender(entries, base.Metrics)
	schema := service.NewSchema(db, func(ctx context.Context) error {
		return postgres.Migrate(ctx, secret[secretMigrate], base.Log, store.Migrations())
	})

	// Public side.
	verifier := base.Tokens(keySet(base.Sidecar))
	public := httpx.NewEngine(httpx.Config{Service: app, Log: base.Log, Registerer: base.Metrics})
	httpx.Health(public, map[string]func(context.Context) error{"database": schema.Ready, "sidecar": base.Sidecar.Ready}, base.Metrics)
	httpapi.Routes(public, log, auth.Middleware(verifier))

	// Dapr side.
	deliveries := subscribe.New(subscribe.Config{
		Token: cfg.AppAPIToken, Log: base.Log, Registerer: base.Metrics, DeadLetter: base.Sidecar, Consumer: app, Health: schema.Ready,
	})
	subscriber.New(appender, time.Now, base.Log).Subscribe(deliveries)

	// The appender outlives the Dapr side, so that deliveries in flight at the end still get their commit.
	appending, stopAppending := context.WithCancel(context.WithoutCancel(ctx))
	defer stopAppending()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return base.AwaitSidecar(ctx, "events wait in Kafka until it is there") })
	group.Go(func() error { return schema.Run(ctx) })
	group.Go(schema.Then(ctx, func(ctx context.Context) error {
		base.Log.InfoContext(ctx, "audit log is open", "checkpoint_key", log.VerifierKey())
		return nil
	}))
	group.Go(func() error { return appender.Run(appending) })
	group.Go(func() error {
		return httpx.Serve(ctx, cfg.HTTPAddr, public, base.Log, cfg.ShutdownTimeout)
	})
	group.Go(func() error {
		defer stopAppending()
		return httpx.Serve(ctx, cfg.AppAddr, deliveries.Handler(), base.Log, cfg.ShutdownTimeout)
	})
	return group.Wait()
}

// keySet fetches the task API's public keys through Dapr.
func keySet(sidecar *dapr.Client) func(ctx context.Context) ([]byte, error) {
	return func(ctx context.Context) ([]byte, error) {
		_, keys, err := sidecar.Invoke(ctx, "task-api", "GET", "/internal/jwks", nil)
		return keys, err
	}
}
