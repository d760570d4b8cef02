// Command sentry is Dapr's certificate authority, built from Dapr's own Go module like daprd. It gives each sidecar the
// certificate by which other sidecars know its app. It runs where there is no Kubernetes: on one machine and in compose.
//
// It differs from the sentry that Dapr releases:
//   - A request must carry a token that a key of --jwks has signed for the app (validator jwks). The validator that
//     believes every caller, Dapr's default outside of Kubernetes, cannot be turned on.
//   - Every port listens on the address that is given, none on all addresses.
//   - The root and issuer certificates are replaced while it runs, when a third of their life remains. Dapr's sentry lets
//     them end after a year.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/dapr/dapr/pkg/buildinfo"
	"github.com/dapr/dapr/pkg/healthz"
	"github.com/dapr/dapr/pkg/metrics"
	"github.com/dapr/dapr/pkg/modes"
	sentryv1pb "github.com/dapr/dapr/pkg/proto/sentry/v1"
	"github.com/dapr/dapr/pkg/sentry"
	"github.com/dapr/dapr/pkg/sentry/config"
	"github.com/dapr/dapr/pkg/sentry/monitoring"
	"github.com/dapr/kit/concurrency"
	"github.com/dapr/kit/logger"
	"github.com/dapr/kit/signals"
)

const (
	// workloadLife is the life of a sidecar's certificate. A sidecar asks for the next one after half of it, so it works
	// for at least 12 h without sentry.
	workloadLife = 24 * time.Hour
	// clockSkew is how far back certificates begin, for sidecars whose clock is behind.
	clockSkew = 15 * time.Minute
	// authorityLife is the life of the root and issuer certificates.
	authorityLife = 365 * 24 * time.Hour
	// checkEvery is the time between two looks at the life that remains.
	checkEvery = time.Hour
	// settle is how long sidecars get to read a new root certificate before certificates are signed under it. They watch
	// the file and take milliseconds.
	settle = 10 * time.Second
)

var log = logger.NewLogger("taskwire.sentry")

func main() {
	if err := run(signals.Context(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "sentry:", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	address, healthAddress, metricsAddress string // host:port
	credentials, anchors, jwks             string
	trustDomain                            string
	logAsJSON, version, ready              bool

	life, check, settle time.Duration // constants, but for tests
}

func parse(args []string) (options, error) {
	o := options{life: authorityLife, check: checkEvery, settle: settle}
	fs := flag.NewFlagSet("sentry", flag.ContinueOnError)
	fs.StringVar(&o.address, "address", "127.0.0.1:50003", "host:port at which sidecars ask for certificates")
	fs.StringVar(&o.healthAddress, "health-address", "127.0.0.1:8080", "host:port of GET /healthz")
	fs.StringVar(&o.metricsAddress, "metrics-address", "127.0.0.1:9090", "host:port of the metrics")
	fs.StringVar(&o.credentials, "credentials", "", "folder of the certificate authority; it is made if it is missing")
	fs.StringVar(&o.anchors, "trust-anchors", "", "file that gets the root certificates, for the sidecars")
	fs.StringVar(&o.jwks, "jwks", "", "file with the public keys by which the tokens of sidecars are signed")
	fs.StringVar(&o.trustDomain, "trust-domain", "cluster.local", "trust domain of the control plane")
	fs.BoolVar(&o.logAsJSON, "log-as-json", false, "write the log as JSON")
	fs.BoolVar(&o.version, "version", false, "print the version and end")
	fs.BoolVar(&o.ready, "ready", false, "ask a running sentry at --health-address whether it is ready, and end")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if o.version || o.ready {
		return o, nil
	}
	for name, value := range map[string]string{"credentials": o.credentials, "trust-anchors": o.anchors, "jwks": o.jwks} {
		if value == "" {
			return o, fmt.Errorf("--%s is not set", name)
		}
	}
	return o, nil
}

// run serves until ctx is done.
func run(ctx context.Context, args []string) error {
	o, err := parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return nil
	case err != nil:
		return fmt.Errorf("flags: %w", err)
	case o.version:
		fmt.Println(buildinfo.Version())
		return nil
	case o.ready:
		return askReady(ctx, o.healthAddress)
	}
	logging := logger.DefaultOptions()
	logging.JSONFormatEnabled = o.logAsJSON
	if err := logger.ApplyOptionsToLoggers(&logging); err != nil {
		return fmt.Errorf("logger: %w", err)
	}
	if err := monitoring.InitMetrics(); err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	return serve(ctx, o)
}

// serve runs the authority, and runs it again with new certificates after each renewal.
func serve(ctx context.Context, o options) error {
	a := authority{dir: o.credentials, anchors: o.anchors, trustDomain: o.trustDomain, life: o.life, settle: o.settle}
	for {
		current, err := a.ensure(ctx)
		if err != nil {
			return err
		}
		if err := serveOnce(ctx, o, a, current); err != nil || ctx.Err() != nil {
			return err
		}
	}
}

// serveOnce serves with the certificates in a folder until ctx is done or they are due for a renewal.
func serveOnce(ctx context.Context, o options, a authority, current string) error {
	health := healthz.New()
	cfg, err := o.config(current)
	if err != nil {
		return err
	}
	ca, err := sentry.New(ctx, sentry.Options{Config: cfg, Healthz: health})
	if err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(o.metricsAddress)
	if err != nil {
		return fmt.Errorf("--metrics-address: %w", err)
	}
	exporter := metrics.New(metrics.Options{
		Log: log, Enabled: true, Namespace: metrics.DefaultMetricNamespace, Port: port, ListenAddress: host, Healthz: health,
	})
	return concurrency.NewRunnerManager(
		ca.Start,
		exporter.Start,
		func(ctx context.Context) error { return serveHealth(ctx, o.healthAddress, health) },
		func(ctx context.Context) error { return a.waitUntilDue(ctx, o.check, current) }, // its return ends the others
	).Run(ctx)
}

// config is the configuration of Dapr's sentry for the certificates in a folder.
func (o options) config(dir string) (config.Config, error) {
	host, service, err := net.SplitHostPort(o.address)
	if err != nil {
		return config.Config{}, fmt.Errorf("--address: %w", err)
	}
	port, err := net.LookupPort("tcp", service)
	if err != nil {
		return config.Config{}, fmt.Errorf("--address: %w", err)
	}
	jwks := sentryv1pb.SignCertificateRequest_JWKS
	return config.Config{
		ListenAddress: host, Port: port, TrustDomain: o.trustDomain, Mode: modes.StandaloneMode,
		RootCertPath: filepath.Join(dir, rootFile), IssuerCertPath: filepath.Join(dir, issuerFile), IssuerKeyPath: filepath.Join(dir, keyFile),
		WorkloadCertTTL: workloadLife, AllowedClockSkew: clockSkew,
		DefaultValidator: jwks,
		Validators:       map[sentryv1pb.SignCertificateRequest_TokenValidator]map[string]string{jwks: {"source": o.jwks}},
	}, nil
}
