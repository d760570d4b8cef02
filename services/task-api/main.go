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
	"time"

	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/pkg/platform/config"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/pkg/platform/outbox"
	"github.com/taskwire/taskwire/pkg/platform/outbox/daprpublisher"
	pg "github.com/taskwire/taskwire/pkg/platform/postgres"
	"github.com/taskwire/taskwire/pkg/platform/service"
	"github.com/taskwire/taskwire/pkg/platform/subscribe"
	"github.com/taskwire/taskwire/services/task-api/api"
	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
	"github.com/taskwire/taskwire/services/task-api/internal/httpapi"
	"github.com/taskwire/taskwire/services/task-api/internal/invocation"
	"github.com/taskwire/taskwire/services/task-api/internal/postgres"
	"github.com/taskwire/taskwire/services/task-api/internal/publish"
	"golang.org/x/sync/errgroup"
)

func main() {
	service.Main(appID, func(ctx context.Context, out io.Writer) error {
		cfg, err := config.Load[settings]()
		if err != nil {
			return err
		}
		return run(ctx, cfg, out, nil)
	})
}

// run is the service, until ctx is done. listening, which may be nil, is told the two addresses.
func run(ctx context.Context, cfg settings, out io.Writer, listening func(public, app net.Addr)) error {
	base, err := service.Start(ctx, appID, cfg.Base, out)
	if err != nil {
		return err
	}
	defer base.Close()
	log, metrics, sidecar := base.Log, base.Metrics, base.Sidecar

	publicListener, appListener, err := listen(ctx, cfg)
	if err != nil {
		return err
	}
	if listening != nil {
		listening(publicListener.Addr(), appListener.Addr())
	}
	secret, err := base.Secrets(ctx, secretDatabase, secretMigrate, secretSigning, secretCursorKey)
	if err != nil {
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
	relay, err := outbox.NewRelay(outbox.RelayConfig{DB: db, URL: secret[secretDatabase], Outbox: box, Publisher: daprpublisher.New(sidecar), Log: log, Registerer: metrics, Name: appID + "-relay"})
	if err != nil {
		return err
	}
	store := postgres.New(db, box, publish.New(log), time.Now)
	hasher, err := accounts.NewHasher()
	if err != nil {
		return err
	}
	jwks := func(context.Context) ([]byte, error) { return signer.JWKS(), nil }
	schema := service.NewSchema(db, func(ctx context.Context) error {
		sets := []pg.Set{{Name: "tasks", FS: postgres.Migrations()}, {Name: "outbox", FS: outbox.Migrations}}
		return pg.Migrate(ctx, secret[secretMigrate], log, sets...)
	})

	public := httpx.NewEngine(httpx.Config{Service: appID, Log: log, Registerer: metrics, BodyLimits: httpapi.BodyLimits(), TrustedProxies: cfg.TrustedProxies})
	httpx.Health(public, map[string]func(context.Context) error{"database": schema.Ready, "sidecar": sidecar.Ready}, metrics)
	public.Use(schema.Guard)
	httpapi.Register(public, httpapi.Config{
		Tasks: store, Accounts: accounts.New(store, hasher, signer, log, time.Now), Verifier: base.Tokens(jwks),
		Issuer: cfg.AuthIssuer, JWKS: signer.JWKS, CursorKey: cursorKey, OpenAPI: document, Now: time.Now,
	})

	deliveries := subscribe.New(subscribe.Config{
		Token: cfg.AppAPIToken, Log: log, Registerer: metrics, DeadLetter: sidecar, Consumer: appID, Health: schema.Ready,
	})
	invocation.Register(deliveries, store, signer.JWKS)

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		return httpx.ServeListener(ctx, publicListener, public, log, cfg.ShutdownTimeout)
	})
	group.Go(func() error {
		return httpx.ServeListener(ctx, appListener, deliveries.Handler(), log, cfg.ShutdownTimeout)
	})
	group.Go(func() error {
		return base.AwaitSidecar(ctx, "writes go on, and the outbox holds the events until it is there")
	})
	group.Go(func() error { return schema.Run(ctx) })
	group.Go(schema.Then(ctx, relay.Run))
	group.Go(schema.Then(ctx, func(ctx context.Context) error { return store.Run(ctx, log) }))
	group.Go(schema.Then(ctx, func(ctx context.Context) error { return store.RunDeletions(ctx, log) }))
	return group.Wait()
}
