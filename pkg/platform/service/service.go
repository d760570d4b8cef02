// Package service holds what all services of Taskwire have in common: the process, its two HTTP sides, its sidecar, its
// secrets, and the gate that holds work back until the database is migrated.
//
// Promises:
//   - A service starts without its sidecar and without its database. It logs once what is missing and works as soon as
//     that is there.
//   - Until the database is migrated, the public side answers 503 and the Dapr side acknowledges nothing.
//   - A process that is stopped by a signal exits with 0. One that fails exits with 1 and writes one line to standard
//     error.
//   - A service without a database links no database package: package database brings that.
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

	"github.com/prometheus/client_golang/prometheus"

	"github.com/taskwire/taskwire/pkg/platform/address"
	"github.com/taskwire/taskwire/pkg/platform/buildinfo"
	"github.com/taskwire/taskwire/pkg/platform/config"
	"github.com/taskwire/taskwire/pkg/platform/dapr"
	"github.com/taskwire/taskwire/pkg/platform/origin"
	"github.com/taskwire/taskwire/pkg/platform/secrets"
	"github.com/taskwire/taskwire/pkg/platform/telemetry"
)

// Main reads the settings from the environment, runs the service until SIGINT or SIGTERM, and ends the process. With
// arguments it runs one of its own commands (--version, --ready, --help) or one of commands instead.
func Main[Settings any](app string, run func(ctx context.Context, cfg Settings, out io.Writer) error, commands ...Command) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	if len(os.Args) > 1 {
		os.Exit(command(ctx, app, os.Args[1:], commands, os.Stdout, os.Stderr))
	}
	cfg, err := config.Load[Settings]()
	if err == nil {
		err = run(ctx, cfg, os.Stdout)
	}
	stopped := ctx.Err() != nil && errors.Is(err, context.Canceled) // during its start
	stop()
	if err != nil && !stopped {
		fmt.Fprintf(os.Stderr, "%s: %v\n", app, err)
		os.Exit(1)
	}
}

// Service is what every service has before it opens anything of its own.
type Service struct {
	Log     *slog.Logger
	Metrics *prometheus.Registry
	Sidecar *dapr.Client

	app       string
	cfg       config.Base
	origins   origin.Set
	proxies   address.Proxies
	tel       *telemetry.Telemetry
	listeners listeners
	gate      *MigrationGate // nil without a database
	access    *Access        // nil without a public side that asks for tokens
	built     bool           // a side was made
	upgraded  int            // see PublicConfig
}

// Start begins the service named app: it opens its ports, its logger, which writes to out, and its Dapr client. Close
// ends the service.
func Start(ctx context.Context, app string, cfg config.Base, out io.Writer) (*Service, error) {
	origins, err := origin.Parse(cfg.AllowedOrigins)
	if err != nil {
		return nil, fmt.Errorf("ALLOWED_ORIGINS: %w", err)
	}
	proxies, err := address.ParseProxies(cfg.TrustedProxies)
	if err != nil {
		return nil, fmt.Errorf("TRUSTED_PROXIES: %w", err)
	}
	tel, err := telemetry.Start(ctx, app, cfg.LogLevel, cfg.OTLPEndpoint, out)
	if err != nil {
		return nil, err
	}
	s := &Service{Log: tel.Log, Metrics: tel.Registry, app: app, cfg: cfg, origins: origins, proxies: proxies, tel: tel}
	tuneMemory(s.Log)
	build := buildinfo.Read()
	s.Log.InfoContext(ctx, "starting", "version", build.Version, "commit", build.Commit)
	if s.listeners, err = listen(ctx, cfg); err != nil {
		s.flush()
		return nil, err
	}
	s.Sidecar, err = dapr.New(dapr.Config{
		HTTPPort: cfg.DaprHTTPPort, GRPCPort: cfg.DaprGRPCPort, PubSub: cfg.DaprPubSub, StateStore: cfg.DaprStateStore,
		APIToken: cfg.DaprAPIToken, Log: s.Log,
	})
	if err != nil {
		s.listeners.close()
		s.flush()
		return nil, err
	}
	return s, nil
}

// App is the service's app id.
func (s *Service) App() string { return s.app }

// Close closes the ports that are not served, closes the Dapr client and sends buffered traces.
func (s *Service) Close() {
	s.listeners.close()   // a server has closed its own already
	_ = s.Sidecar.Close() // the process ends: nothing can be done about an error
	s.flush()
}

func (s *Service) flush() {
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.ShutdownTimeout)
	defer cancel()
	if err := s.tel.Shutdown(ctx); err != nil {
		s.Log.Warn("some traces were not sent", "error", err.Error())
	}
}

// Secrets reads the service's secrets. It returns an error when one of the keys is missing or empty.
func (s *Service) Secrets(ctx context.Context, keys ...string) (secrets.Secrets, error) {
	all, err := secrets.Load(ctx, s.Sidecar, s.cfg, s.app, s.Log)
	if err != nil {
		return nil, err
	}
	return all, all.Require(keys...)
}
