// Command audit-signer holds the key of the audit log and signs its checkpoints. It is a process of its own, so that neither
// the audit service nor its database can have another log signed than the one that was signed before.
//
// Its public side has only /healthz, /readyz and /metrics. Exactly one instance runs: the folder of its state is locked.
//
// audit-signer begin says where a signer without its state begins (begin.go).
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/taskwire/taskwire/pkg/platform/auditlog"
	"github.com/taskwire/taskwire/pkg/platform/service"
	"github.com/taskwire/taskwire/services/audit-signer/internal/domain"
	"github.com/taskwire/taskwire/services/audit-signer/internal/files"
	"github.com/taskwire/taskwire/services/audit-signer/internal/invocation"
	"github.com/taskwire/taskwire/services/audit-signer/internal/publish"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "begin" {
		os.Exit(begin(os.Args[2:], os.Stdin, os.Stdout, os.Stderr))
	}
	service.Main(appID, run)
}

// run runs the service until ctx ends or a part of it fails for good. It writes log lines to out.
func run(ctx context.Context, cfg settings, out io.Writer) error {
	base, err := service.Start(ctx, appID, cfg.Base, out)
	if err != nil {
		return err
	}
	defer base.Close()
	secret, err := base.Secrets(ctx, secretCheckpoint)
	if err != nil {
		return err
	}
	key, err := auditlog.VerifierKey(secret[secretCheckpoint])
	if err != nil {
		return fmt.Errorf("read the checkpoint signing key: %w", err)
	}
	folder, err := files.Open(cfg.StateDir, key)
	if err != nil {
		return err
	}
	defer folder.Close()
	history, err := folder.OpenHistory(cfg.CheckpointsFile, time.Now)
	if err != nil {
		return err
	}
	signer, err := domain.New(secret[secretCheckpoint], folder, history.Add)
	if err != nil {
		return err
	}

	public := base.PublicEngine(service.PublicConfig{
		Ready: map[string]func(context.Context) error{"state": func(context.Context) error { return signer.Ready() }},
	})
	invocations := base.DaprSide()
	invocation.Register(invocations, signer, base.Log)

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return base.ServePublic(ctx, public) })
	group.Go(func() error { return base.ServeDapr(ctx, invocations) })
	group.Go(func() error {
		return base.AwaitSidecar(ctx, "the audit log grows without new checkpoints until the sidecar is there")
	})
	publisher := publish.New(history, targetOf(cfg, base), base.Log, base.Metrics)
	group.Go(func() error { return publisher.Run(ctx) })
	if err := signer.Ready(); err != nil {
		base.Log.ErrorContext(ctx, "nothing is signed: run `audit-signer begin` (docs/audit.md)", "error", err.Error())
	} else {
		base.Log.InfoContext(ctx, "signer is open", "checkpoint_key", signer.VerifierKey())
	}
	return group.Wait()
}

// targetOf returns the second place of the settings, nil if there is none.
func targetOf(cfg settings, base *service.Service) publish.Target {
	switch cfg.CheckpointsTo {
	case "":
		return nil
	case publishKafka:
		return publish.Topic{Bus: base.Sidecar}
	}
	return publish.NewHTTP(cfg.CheckpointsTo)
}
