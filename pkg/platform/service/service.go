// Package service is what all services of Taskwire begin with: the process, the parts that each of them has, and a
// database that may not be there yet.
//
// Promises: a service starts without its sidecar and without its database, says once in its log what is missing, and
// goes on when it is there. A process that was told to stop ends with 0, whatever it was doing; one that failed ends
// with 1 and one line on standard error.
package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/pkg/platform/buildinfo"
	"github.com/taskwire/taskwire/pkg/platform/config"
	"github.com/taskwire/taskwire/pkg/platform/dapr"
	"github.com/taskwire/taskwire/pkg/platform/secrets"
	"github.com/taskwire/taskwire/pkg/platform/telemetry"
)

const (
	// sidecarGrace is how long the sidecar may take to start before its absence is worth a line.
	sidecarGrace = 10 * time.Second
	// sidecarPoll is between two looks for it.
	sidecarPoll = time.Second
)

// Main runs a service until it is told to stop (SIGINT, SIGTERM) and ends the process; with --version or --ready it only
// answers that.
func Main(app string, run func(ctx context.Context, out io.Writer) error) {
	if len(os.Args) > 1 {
		os.Exit(command(app, os.Args[1:], os.Stdout, os.Stderr))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout)
	told := ctx.Err() != nil && errors.Is(err, context.Canceled) // while it was starting
	stop()
	if err != nil && !told {
		fmt.Fprintf(os.Stderr, "%s: %v\n", app, err)
		os.Exit(1)
	}
}

// Service is what every service has before it opens anything of its own.
type Service struct {
	Log     *slog.Logger
	Metrics *prometheus.Registry
	Sidecar *dapr.Client

	app string
	cfg config.Base
	tel *telemetry.Telemetry
}

// Start begins the service named app, whose log lines go to out. Close ends it.
func Start(ctx context.Context, app string, cfg config.Base, out io.Writer) (*Service, error) {
	tel, err := telemetry.Start(ctx, app, cfg.LogLevel, cfg.OTLPEndpoint, out)
	if err != nil {
		return nil, err
	}
	tuneMemory(tel.Log)
	build := buildinfo.Read()
	tel.Log.InfoContext(ctx, "starting", "version", build.Version, "commit", build.Commit)
	s := &Service{Log: tel.Log, Metrics: tel.Registry, app: app, cfg: cfg, tel: tel}
	s.Sidecar, err = dapr.New(dapr.Config{
		HTTPPort: cfg.DaprHTTPPort, GRPCPort: cfg.DaprGRPCPort, PubSub: cfg.DaprPubSub, StateStore: cfg.DaprStateStore,
		APIToken: cfg.DaprAPIToken, Log: tel.Log,
	})
	if err != nil {
		s.flush()
		return nil, err
	}
	return s, nil
}

// Close lets the sidecar go and sends what telemetry is buffered.
func (s *Service) Close() {
	_ = s.Sidecar.Close() // nothing is left to do with it
	s.flush()
}

func (s *Service) flush() {
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.ShutdownTimeout)
	defer cancel()
	if err := s.tel.Shutdown(ctx); err != nil {
		s.Log.Warn("telemetry was not sent in full", "error", err.Error())
	}
}

// Secrets reads the service's secrets, which must have the given keys.
func (s *Service) Secrets(ctx context.Context, keys ...string) (secrets.Secrets, error) {
	all, err := secrets.Load(ctx, s.Sidecar, s.cfg, s.app, s.Log)
	if err != nil {
		return nil, err
	}
	return all, all.Require(keys...)
}

// Tokens judges access tokens: those of the OIDC issuer that the service was told of, else our own, whose keys fetch gets.
func (s *Service) Tokens(fetch func(ctx context.Context) ([]byte, error)) auth.Tokens {
	return auth.New(auth.OIDC{Issuer: s.cfg.AuthIssuer, Audience: s.cfg.AuthAudience, RoleClaim: s.cfg.AuthRoleClaim}, fetch, s.Log)
}

// AwaitSidecar writes one line when there is no sidecar, which says what happens meanwhile, and one when it has come.
// It returns nil then, or when ctx is done.
func (s *Service) AwaitSidecar(ctx context.Context, meanwhile string) error {
	return awaitSidecar(ctx, s.Sidecar.Ready, s.Log, meanwhile)
}

func awaitSidecar(ctx context.Context, ready func(context.Context) error, log *slog.Logger, meanwhile string) error {
	missing := false
	grace := time.After(sidecarGrace)
	for {
		err := ready(ctx)
		if err == nil {
			if missing {
				log.InfoContext(ctx, "the Dapr sidecar is there")
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-grace:
			missing = true
			log.WarnContext(ctx, "no Dapr sidecar", "meanwhile", meanwhile, "error", err.Error())
		case <-time.After(sidecarPoll):
		}
	}
}
