// Command daprd is the Dapr sidecar, version 1.18, built from Dapr's own Go module with only the components that Taskwire
// names in dapr-components/. The runtime is unchanged. Without the clients of every cloud, the sidecar builds within
// minutes on two cores.
//
// It takes the flags of the daprd that Dapr releases. components.go lists the components. One variable is added:
// DAPR_TRUST_ANCHORS_FILE names a file with the root certificates, which may change while the sidecar runs. It replaces
// DAPR_TRUST_ANCHORS, which holds them and cannot change.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/dapr/dapr/cmd/daprd/options"
	"github.com/dapr/dapr/pkg/buildinfo"
	"github.com/dapr/dapr/pkg/healthz"
	"github.com/dapr/dapr/pkg/metrics"
	"github.com/dapr/dapr/pkg/modes"
	"github.com/dapr/dapr/pkg/runtime"
	"github.com/dapr/dapr/pkg/runtime/registry"
	"github.com/dapr/dapr/pkg/security"
	"github.com/dapr/kit/concurrency"
	"github.com/dapr/kit/logger"
	"github.com/dapr/kit/signals"
	"go.opencensus.io/stats/view"
	"go.uber.org/automaxprocs/maxprocs"
)

// trustAnchorsFileEnv is the variable that the daprd of a release does not have.
const trustAnchorsFileEnv = "DAPR_TRUST_ANCHORS_FILE"

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "daprd:", err)
		os.Exit(1)
	}
}

// run serves until SIGINT or SIGTERM. SIGHUP restarts the runtime with the same flags, as Dapr's daprd does.
func run(args []string) error {
	_, _ = maxprocs.Set() // fails where there is no CPU limit to read; then Go's default stays
	opts, err := options.New(args)
	if err != nil {
		return fmt.Errorf("flags: %w", err)
	}
	switch {
	case opts.RuntimeVersion:
		fmt.Println(buildinfo.Version())
		return nil
	case opts.BuildInfo:
		fmt.Printf("Version: %s\nGit Commit: %s\nGit Version: %s\n", buildinfo.Version(), buildinfo.Commit(), buildinfo.GitVersion())
		return nil
	case opts.WaitCommand:
		runtime.WaitUntilDaprOutboundReady(opts.DaprHTTPPort)
		return nil
	}

	log := logger.NewLogger("dapr.runtime")
	components := register(log, logger.NewLogger("dapr.contrib"))
	opts.Logger.SetAppID(opts.AppID)
	if err := logger.ApplyOptionsToLoggers(&opts.Logger); err != nil {
		return fmt.Errorf("logger: %w", err)
	}
	log.Infof("Starting Dapr Runtime -- version %s -- commit %s", buildinfo.Version(), buildinfo.Commit())

	ctx := signals.Context()
	hangups := signals.OnHUP(ctx)
	for {
		select {
		case <-ctx.Done():
			return nil
		case hctx, open := <-hangups:
			if !open {
				return nil
			}
			if err := serve(hctx, opts, components, log); err != nil {
				return fmt.Errorf("runtime: %w", err)
			}
			if hctx.Err() == nil { // the shutdown API ended it, not a signal
				return nil
			}
		}
	}
}

func serve(ctx context.Context, opts *options.Options, components *registry.Options, log logger.Logger) error {
	health := healthz.New()
	provider, err := security.New(ctx, securityOptions(opts, health))
	if err != nil {
		return err
	}
	return concurrency.NewRunnerManager(
		provider.Run,
		func(ctx context.Context) error {
			handler, err := provider.Handler(ctx)
			if err != nil {
				return err
			}
			rt, err := runtime.FromConfig(ctx, config(opts, components, handler, health, log))
			if err != nil {
				return err
			}
			return rt.Run(ctx)
		},
	).Run(ctx)
}

// securityOptions and config pass every flag to the runtime. A field that they leave out would be a flag that is silently
// ignored; config_test.go checks for that.
func securityOptions(o *options.Options, health healthz.Healthz) security.Options {
	s := security.Options{
		SentryAddress:           o.SentryAddress,
		ControlPlaneTrustDomain: o.ControlPlaneTrustDomain,
		ControlPlaneNamespace:   o.ControlPlaneNamespace,
		TrustAnchors:            o.TrustAnchors,
		AppID:                   o.AppID,
		MTLSEnabled:             o.EnableMTLS,
		Mode:                    modes.DaprMode(o.Mode),
		Healthz:                 health,
		JwtAudiences:            o.SentryRequestJwtAudiences,
	}
	if file := os.Getenv(trustAnchorsFileEnv); file != "" {
		s.TrustAnchors, s.TrustAnchorsFile = nil, &file // Dapr refuses both
	}
	return s
}

func config(o *options.Options, components *registry.Options, handler security.Handler, health healthz.Healthz, log logger.Logger) *runtime.Config {
	return &runtime.Config{
		AppID:                         o.AppID,
		ActorsService:                 o.ActorsService,
		ActorsDisseminationTimeout:    o.ActorsDisseminationTimeout,
		HotReloadReconcileInterval:    o.HotReloadReconcileInterval,
		RemindersService:              o.RemindersService,
		SchedulerAddress:              o.SchedulerAddress,
		SchedulerStreams:              o.SchedulerJobStreams,
		AllowedOrigins:                o.AllowedOrigins,
		ResourcesPath:                 o.ResourcesPath,
		ComponentsPath:                o.ComponentsPath,
		ControlPlaneAddress:           o.ControlPlaneAddress,
		AppProtocol:                   o.AppProtocol,
		Mode:                          o.Mode,
		DaprHTTPPort:                  o.DaprHTTPPort,
		DaprInternalGRPCPort:          o.DaprInternalGRPCPort,
		DaprInternalGRPCListenAddress: o.DaprInternalGRPCListenAddress,
		DaprAPIGRPCPort:               o.DaprAPIGRPCPort,
		DaprAPIListenAddresses:        o.DaprAPIListenAddresses,
		DaprPublicPort:                o.DaprPublicPort,
		DaprPublicListenAddress:       o.DaprPublicListenAddress,
		ApplicationPort:               o.AppPort,
		ProfilePort:                   o.ProfilePort,
		EnableProfiling:               o.EnableProfiling,
		AppMaxConcurrency:             o.AppMaxConcurrency,
		EnableMTLS:                    o.EnableMTLS,
		SentryAddress:                 o.SentryAddress,
		MaxRequestSize:                o.MaxRequestSize,
		ReadBufferSize:                o.ReadBufferSize,
		UnixDomainSocket:              o.UnixDomainSocket,
		DaprGracefulShutdownSeconds:   o.DaprGracefulShutdownSeconds,
		DaprBlockShutdownDuration:     o.DaprBlockShutdownDuration,
		DisableBuiltinK8sSecretStore:  o.DisableBuiltinK8sSecretStore,
		EnableAppHealthCheck:          o.EnableAppHealthCheck,
		AppHealthCheckPath:            o.AppHealthCheckPath,
		AppHealthProbeInterval:        o.AppHealthProbeInterval,
		AppHealthProbeTimeout:         o.AppHealthProbeTimeout,
		AppHealthThreshold:            o.AppHealthThreshold,
		AppChannelAddress:             o.AppChannelAddress,
		EnableAPILogging:              o.EnableAPILogging,
		Config:                        o.Config,
		DisableInitEndpoints:          o.DisableInitEndpoints,
		AppBindingOptionsTimeout:      o.AppBindingOptionsTimeout,
		AppSSL:                        o.AppSSL,
		Registry:                      components,
		Security:                      handler,
		Healthz:                       health,
		Metrics: metrics.Options{
			Enabled:       o.Metrics.Enabled(),
			Log:           log,
			Port:          o.Metrics.Port(),
			ListenAddress: o.Metrics.ListenAddress(),
			Namespace:     metrics.DefaultMetricNamespace,
			Healthz:       health,
			Meter:         view.NewMeter(),
		},
	}
}
