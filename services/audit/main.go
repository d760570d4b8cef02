// Command audit keeps the audit log. It takes the events of tasks and accounts from Dapr, appends each exactly once to a Merkle tree in
// Postgres, and serves queries, signed checkpoints and proofs. It checks the log against itself and against what was signed.
// The signing key is with another process, audit-signer.
//
// It starts without its sidecar and without its database. Until both are there, /readyz reports what is missing and the
// deliveries wait in Kafka.
package main

import (
	"context"
	"io"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/pkg/platform/database"
	"github.com/taskwire/taskwire/pkg/platform/service"
	"github.com/taskwire/taskwire/services/audit/internal/domain"
	"github.com/taskwire/taskwire/services/audit/internal/httpapi"
	"github.com/taskwire/taskwire/services/audit/internal/postgres"
	"github.com/taskwire/taskwire/services/audit/internal/signer"
	"github.com/taskwire/taskwire/services/audit/internal/subscriber"
)

func main() { service.Main(appID, run, database.MigrateCommand(postgres.Migrations())) }

// run runs the service until ctx ends or a part of it fails for good. It writes log lines to out.
func run(ctx context.Context, cfg settings, out io.Writer) error {
	base, err := service.Start(ctx, appID, cfg.Base, out)
	if err != nil {
		return err
	}
	defer base.Close()
	secret, err := base.Secrets(ctx, secretDatabase)
	if err != nil {
		return err
	}
	db, err := database.Open(ctx, base, database.Config{URL: secret[secretDatabase], Migrations: []database.Set{postgres.Migrations()}})
	if err != nil {
		return err
	}
	defer db.Close()

	store := postgres.New(db.Handle)
	checkpoints := domain.NewCheckpoints(store, signer.New(base.Sidecar), time.Now, base.Metrics)
	checker := domain.NewChecker(store, checkpoints.Last, base.Log, base.Metrics)
	checkpoints.Use(checker)
	log := domain.NewLog(store, checkpoints)
	appender := domain.NewAppender(store, base.Metrics)

	access := base.Access(service.AccessConfig{Keys: base.TaskAPIKeys})
	public := base.PublicEngine(service.PublicConfig{Ready: map[string]func(context.Context) error{"log": checker.Ready}})
	httpapi.Register(public, log, domain.NewReads(appender.Append, time.Now), auth.Middleware(access.Tokens))
	deliveries := base.DaprSide()
	subscriber.New(appender, time.Now, base.Log).Subscribe(deliveries)

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return base.ServePublic(ctx, public) })
	group.Go(func() error { return base.ServeDapr(ctx, deliveries) })
	group.Go(func() error { return base.AwaitSidecar(ctx, "events wait in Kafka until the sidecar is there") })
	group.Go(func() error { return access.Run(ctx) })
	group.Go(func() error { return db.AwaitMigration(ctx) })
	group.Go(db.AfterMigration(ctx, func(ctx context.Context) error {
		return checker.Run(ctx, checkpoints.SignNew)
	}))
	return group.Wait()
}
