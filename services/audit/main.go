// Command audit keeps the audit log: it takes task-events from Dapr, appends each exactly once to a Merkle tree in
// Postgres, and answers queries, signed checkpoints and proofs.
//
// It starts without its sidecar and without its database: /readyz then says what is missing, deliveries wait in Kafka,
// and it goes on as soon as both are there.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/pkg/platform/config"
	"github.com/taskwire/taskwire/pkg/platform/dapr"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/pkg/platform/postgres"
	"github.com/taskwire/taskwire/pkg/platform/secrets"
	"github.com/taskwire/taskwire/pkg/platform/subscribe"
	"github.com/taskwire/taskwire/pkg/platform/telemetry"
	"github.com/taskwire/taskwire/services/audit/internal/domain"
	"github.com/taskwire/taskwire/services/audit/internal/httpapi"
	store "github.com/taskwire/taskwire/services/audit/internal/postgres"
	"github.com/taskwire/taskwire/services/audit/internal/subscriber"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout)
	told := ctx.Err() != nil && errors.Is(err, context.Canceled) // to stop, while it was starting
	stop()
	if err != nil && !told {
		fmt.Fprintln(os.Stderr, "audit:", err)
		os.Exit(1)
	}
}

// run is the whole service, until ctx is done or a part of it fails for good. Log lines go to out.
func run(ctx context.Context, out io.Writer) error {
	cfg, err := config.Load[Config]()
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
	secret, err := secrets.Load(ctx, sidecar, cfg.Base, app, tel.Log)
	if err != nil {
		return err
	}
	if err := secret.Require(secretDatabase, secretMigrate, secretCheckpoint); err != nil {
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
	appender := domain.NewAppender(entries, tel.Registry)
	var migrated atomic.Bool
	database := func(ctx context.Context) error {
		if !migrated.Load() {
			return errors.New("migrations are not done yet")
		}
		return postgres.Ping(ctx, db)
	}

	// Public side.
	verifier := auth.NewVerifier(keySet(sidecar), tel.Log)
	public := httpx.NewEngine(httpx.Config{Service: app, Log: tel.Log, Registerer: tel.Registry})
	httpx.Health(public, map[string]func(context.Context) error{"database": database, "sidecar": sidecar.Ready}, tel.Registry)
	httpapi.Routes(public, log, auth.Middleware(verifier))

	// Dapr side.
	deliveries := subscribe.New(subscribe.Config{
		Token: cfg.AppAPIToken, Log: tel.Log, Registerer: tel.Registry, DeadLetter: sidecar, Consumer: app, Health: database,
	})
	subscriber.New(appender, time.Now, tel.Log).Subscribe(deliveries)

	// The appender outlives the Dapr side, so that deliveries in flight at the end still get their commit.
	appending, stopAppending := context.WithCancel(context.WithoutCancel(ctx))
	defer stopAppending()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := postgres.Migrate(ctx, secret[secretMigrate], tel.Log, store.Migrations()); err != nil {
			return err
		}
		migrated.Store(true)
		tel.Log.InfoContext(ctx, "audit log is open", "checkpoint_key", log.VerifierKey())
		return nil
	})
	group.Go(func() error { return appender.Run(appending) })
	group.Go(func() error {
		return httpx.Serve(ctx, cfg.HTTPAddr, public, tel.Log, cfg.ShutdownTimeout)
	})
	group.Go(func() error {
		defer stopAppending()
		return httpx.Serve(ctx, cfg.AppAddr, deliveries.Handler(), tel.Log, cfg.ShutdownTimeout)
	})
	if err := group.Wait(); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil // it was told to stop while it waited for the database
}

// keySet fetches the task API's public keys through Dapr.
func keySet(sidecar *dapr.Client) func(ctx context.Context) ([]byte, error) {
	return func(ctx context.Context) ([]byte, error) {
		_, keys, err := sidecar.Invoke(ctx, "task-api", "GET", "/internal/jwks", nil)
		return keys, err
	}
}
