// Command task-api serves tasks and accounts. Every event about a task begins here.
//
// It needs only its secrets to start. Without its database it answers 503. Without its sidecar it accepts writes, and
// the outbox holds the events. /readyz reports what is missing.
package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"time"

	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/pkg/platform/database"
	"github.com/taskwire/taskwire/pkg/platform/outbox"
	"github.com/taskwire/taskwire/pkg/platform/outbox/daprpublisher"
	"github.com/taskwire/taskwire/pkg/platform/service"
	"github.com/taskwire/taskwire/services/task-api/api"
	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
	"github.com/taskwire/taskwire/services/task-api/internal/httpapi"
	"github.com/taskwire/taskwire/services/task-api/internal/invocation"
	"github.com/taskwire/taskwire/services/task-api/internal/postgres"
	"github.com/taskwire/taskwire/services/task-api/internal/publish"
	"github.com/taskwire/taskwire/services/task-api/internal/tasks"
	"github.com/taskwire/taskwire/services/task-api/internal/tokens"
	"golang.org/x/sync/errgroup"
)

func main() { service.Main(appID, run, database.MigrateCommand(migrations()...)) }

// migrations are what the service's database needs, in their order.
func migrations() []database.Set {
	return []database.Set{{Name: "tasks", FS: postgres.Migrations()}, {Name: "outbox", FS: outbox.Migrations}}
}

// run runs the service until ctx ends or a part of it fails for good. It writes log lines to out.
func run(ctx context.Context, cfg settings, out io.Writer) error {
	base, err := service.Start(ctx, appID, cfg.Base, out)
	if err != nil {
		return err
	}
	defer base.Close()
	log, metrics, sidecar := base.Log, base.Metrics, base.Sidecar
	secret, err := base.Secrets(ctx, secretDatabase, secretSigning, secretCursorKey)
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
	log.InfoContext(ctx, "access tokens are signed", "kid", signer.KeyID())
	document, err := api.JSON()
	if err != nil {
		return err
	}
	db, err := database.Open(ctx, base, database.Config{
		URL: secret[secretDatabase], Migrations: migrations(), MaxConns: cfg.DatabaseConns,
	})
	if err != nil {
		return err
	}
	defer db.Close()

	box := outbox.New(db.Handle, log)
	relay, err := outbox.NewRelay(outbox.RelayConfig{
		DB: db.Handle, URL: db.URL, Outbox: box, Publisher: daprpublisher.New(sidecar), Log: log, Registerer: metrics, Name: appID + "-relay",
	})
	if err != nil {
		return err
	}
	store := postgres.New(db.Handle, box, time.Now)
	publisher := publish.New(log)
	useCases := tasks.New(store, publisher, time.Now, int64(cfg.TasksPerAccount))
	hasher, err := accounts.NewHasher()
	if err != nil {
		return err
	}
	users := accounts.New(store, hasher, signer, publisher, log, time.Now)
	mailer, err := newMailer(cfg, secret, cursorKey, store, base)
	if err != nil {
		return err
	}
	users.UseMail(mailer)

	var access *service.Access
	revoked := func(r accounts.Revocation) { // what this process revoked counts before it answers
		if err := access.Revocations.Apply(revocationOf(r)); err != nil {
			log.Error("a revocation cannot be used", "user_id", r.UserID, "error", err.Error())
		}
	}
	users.OnRevoked(revoked)
	personal := tokens.New(store, publisher, revoked, log, time.Now)
	access = base.Access(service.AccessConfig{Keys: signer.Keys, Revocations: revocations{users}, Lookup: personal.Find})
	access.Revocations.OnApply(func(r auth.Revocation) {
		if r.Kind == auth.RevokedRole { // the operator's command has changed it
			log.Info("an account has another role", "user_id", r.UserID, "role", r.Role, "since", r.At)
		}
	})

	public := base.PublicEngine(service.PublicConfig{BodyLimits: httpapi.BodyLimits()})
	httpapi.Register(public, httpapi.Config{
		Tasks: useCases, Accounts: users, Tokens: personal, Verifier: access.Tokens,
		Issuer: cfg.AuthIssuer, JWKS: signer.JWKS, CursorKey: cursorKey, OpenAPI: document, Now: time.Now,
		Quotas: httpapi.Quotas{Writes: int(cfg.WritesPerMinute), Imports: int(cfg.ImportsPerHour)},
	})
	deliveries := base.DaprSide()
	invocation.Register(deliveries, useCases, users, personal, signer.JWKS)

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return base.ServePublic(ctx, public) })
	group.Go(func() error { return base.ServeDapr(ctx, deliveries, service.KeysRoute) })
	group.Go(func() error {
		return base.AwaitSidecar(ctx, "writes are accepted, and the outbox holds the events until the sidecar is there")
	})
	group.Go(func() error { return db.AwaitMigration(ctx) })
	group.Go(db.AfterMigration(ctx, access.Run))
	group.Go(db.AfterMigration(ctx, relay.Run))
	group.Go(db.AfterMigration(ctx, func(ctx context.Context) error { return useCases.RunRetention(ctx, log) }))
	group.Go(db.AfterMigration(ctx, func(ctx context.Context) error { return useCases.RunDeletions(ctx, log) }))
	group.Go(db.AfterMigration(ctx, func(ctx context.Context) error { return useCases.RunRefold(ctx, log) }))
	group.Go(db.AfterMigration(ctx, users.RunRefusals))
	if mailer != nil {
		group.Go(db.AfterMigration(ctx, mailer.Run))
	}
	return group.Wait()
}
