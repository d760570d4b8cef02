// Task-api serves tasks and accounts, and is where every event about a task begins.
//
// run reads top to bottom and shows all that runs. The service needs its secrets to start, and nothing else: without
// its database it answers 503, without its sidecar it goes on writing and the outbox holds the events. /readyz says
// which of them is missing.
package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/pkg/platform/config"
	"github.com/taskwire/taskwire/pkg/platform/dapr"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/pkg/platform/outbox"
	pg "github.com/taskwire/taskwire/pkg/platform/postgres"
	"github.com/taskwire/taskwire/pkg/platform/secrets"
	"github.com/taskwire/taskwire/pkg/platform/subscribe"
	"github.com/taskwire/taskwire/pkg/platform/telemetry"
	"github.com/taskwire/taskwire/services/task-api/api"
	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
	"github.com/taskwire/taskwire/services/task-api/internal/httpapi"
	"github.com/taskwire/taskwire/services/task-api/internal/invocation"
	"github.com/taskwire/taskwire/services/task-api/internal/postgres"
	"github.com/taskwire/taskwire/services/task-api/internal/publish"
	"golang.org/x/sync/errgroup"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	cfg, err := config.Load[settings]()
	if err == nil {
		err = run(ctx, cfg, os.Stdout, nil)
	}
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", appID, err)
		os.Exit(1)
	}
}

// run is the service, until ctx is done. listening, which may be nil, is told the two addresses.
func run(ctx context.Context, cfg settings, out io.Writer, listening func(public, app net.Addr)) error {
	tel, err := telemetry.Start(ctx, appID, cfg.LogLevel, cfg.OTLPEndpoint, out)
	if err != nil {
		return err
	}
	defer shutdown(tel, cfg.ShutdownTimeout)
	log, metrics := tel.Log, tel.Registry

	publicListener, appListener, err := listen(ctx, cfg)
	if err != nil {
		return err
	}
	if listening != nil {
		listening(publicListener.Addr(), appListener.Addr())
	}
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
	if err := secret.Require(secretDatabase, secretMigrate, secretSigning, secretCursorKey); err != nil {
		return err
	}
	cursorKey, err := hex.DecodeString(secret[secretCursorKey])
	if err != nil || len(cursorKey) < cursorKeyBytes {
		return fmt.Errorf("secret %s must be %d bytes in hex", secretCursorKey, cursorKeyBytes)
	}
	signer, err := auth.NewSigner(secret[secretSigning])
	if err != nil {
		return fmt.Errorf("secret %s: %w", secretSigning, err)
	}
	document, err := api.JSON()
	if err != nil {
		return err
	}

	db, err := pg.Open(ctx, pg.Config{URL: secret[secretDatabase], MaxConns: cfg.DatabaseConns, AppName: appID})
	if err != nil {
		return err
	}
	defer pg.Close(db) // nothing is left to do with it
	box := outbox.New(db, log)
	relay, err := outbox.NewRelay(outbox.RelayConfig{DB: db, URL: secret[secretDatabase], Outbox: box, Publisher: sidecar, Log: log, Registerer: metrics, Name: appID + "-relay"})
	if err != nil {
		return err
	}
	store := postgres.New(db, box, publish.New(log), time.Now)
	hasher, err := accounts.NewHasher()
	if err != nil {
		return err
	}
	jwks := func(context.Context) ([]byte, error) { return signer.JWKS(), nil }
	migrated := newGate()

	public := httpx.NewEngine(httpx.Config{Service: appID, Log: log, Registerer: metrics, TrustedProxies: cfg.TrustedProxies})
	httpx.Health(public, map[string]func(context.Context) error{
		"database":   func(ctx context.Context) error { return pg.Ping(ctx, db) },
		"migrations": migrated.check,
		"sidecar":    sidecar.Ready,
	}, metrics)
	public.Use(migrated.middleware)
	httpapi.Register(public, httpapi.Config{
		Tasks: store, Accounts: accounts.New(store, hasher, signer, log, time.Now), Verifier: auth.NewVerifier(jwks, log),
		JWKS: signer.JWKS, CursorKey: cursorKey, OpenAPI: document, Now: time.Now,
	})

	deliveries := subscribe.New(subscribe.Config{
		Token: cfg.AppAPIToken, Log: log, Registerer: metrics, DeadLetter: sidecar, Consumer: appID,
		Health: func(ctx context.Context) error {
			if err := migrated.check(ctx); err != nil {
				return err
			}
			return pg.Ping(ctx, db)
		},
	})
	invocation.Register(deliveries, store, signer.JWKS)

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		return httpx.ServeListener(ctx, publicListener, public, log, cfg.ShutdownTimeout)
	})
	group.Go(func() error {
		return httpx.ServeListener(ctx, appListener, deliveries.Handler(), log, cfg.ShutdownTimeout)
	})
	group.Go(func() error { return reportSidecar(ctx, sidecar, log) })
	group.Go(func() error {
		sets := []pg.Set{{Name: "tasks", FS: postgres.Migrations()}, {Name: "outbox", FS: outbox.Migrations}}
		if err := pg.Migrate(ctx, secret[secretMigrate], log, sets...); err != nil {
			if ctx.Err() != nil {
				return nil //nolint:nilerr // stopped while the database was away
			}
			return err
		}
		migrated.open()
		group.Go(func() error { return relay.Run(ctx) })
		group.Go(func() error { return store.Run(ctx, log) })
		return nil
	})
	return group.Wait()
}
