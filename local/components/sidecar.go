// The flags of daprd.

package components

import (
	"strconv"

	"github.com/taskwire/taskwire/local/sidecarid"
)

// Probes of an app's health. They hold deliveries back until the app is up for the first time. Without them daprd delivers to
// an app that is still starting and takes its 404 for "drop this event".
//
// They must not stop deliveries later. daprd 1.18 would end the subscriptions and start them again when the app is back. If a
// delivery was being retried, the old subscription can end after the new one has started and end that one too. The topic is
// then not read any more until the sidecar restarts (docs/adr/0010). Instead, an app that is away costs one refused
// connection a second for each partition.
const (
	probeSeconds     = 1 // a sidecar is ready that soon after its app; the default is 5
	probeTimeoutMS   = 900
	probeFailures    = 1_000_000 // in a row, which takes 11 days; above 2^31-2 the count overflows into "healthy"
	healthPath       = "/healthz"
	loopback         = "127.0.0.1"
	initEndpointsOff = "config,subscribe" // subscriptions are declared, so a question to the app would be a 404 in its log
)

// Sidecar describes the daprd process of one app on this machine. All fields are needed, except those of Identity for a sidecar
// that is alone in a test.
type Sidecar struct {
	App             string
	AppPort         int // of the app's Dapr side
	HTTPPort        int
	GRPCPort        int
	InternalPort    int // for other sidecars; it has to stay the same over a restart, because they find it by the file of names
	MetricsPort     int
	ResourcesDir    string // from Render
	ConfigFile      string // from Render
	ShutdownSeconds int    // how long it may finish deliveries when it is asked to stop

	Identity Identity // without one, sidecars invoke each other without TLS, and so may every stranger
}

// Identity says how a sidecar gets the certificate by which other sidecars know its app.
type Identity struct {
	Sentry  string // host:port
	Anchors string // file with the root certificates
	Token   string // file with the app's token, from sidecarid.Issue
}

// Env returns the variables of daprd with the identity.
func (i Identity) Env() []string {
	return []string{"NAMESPACE=" + sidecarid.Namespace, "DAPR_TRUST_ANCHORS_FILE=" + i.Anchors, "DAPR_SENTRY_TOKEN_FILE=" + i.Token}
}

func (i Identity) args() []string {
	if i.Sentry == "" {
		return nil
	}
	return []string{
		"--enable-mtls",
		"--sentry-address", i.Sentry,
		"--control-plane-trust-domain", sidecarid.ControlPlaneTrustDomain,
		"--control-plane-namespace", sidecarid.ControlPlaneNamespace,
	}
}

// Args returns the flags of daprd. It also reads APP_API_TOKEN, DAPR_API_TOKEN and POD_NAME from its
// environment.
func (s Sidecar) Args() []string {
	return append([]string{
		"--app-id", s.App,
		"--app-port", strconv.Itoa(s.AppPort),
		"--app-protocol", "http",
		"--app-channel-address", loopback,
		"--dapr-http-port", strconv.Itoa(s.HTTPPort),
		"--dapr-grpc-port", strconv.Itoa(s.GRPCPort),
		"--dapr-internal-grpc-port", strconv.Itoa(s.InternalPort),
		"--dapr-listen-addresses", loopback, // the default is every address of the machine
		"--dapr-internal-grpc-listen-address", loopback,
		"--metrics-port", strconv.Itoa(s.MetricsPort),
		"--metrics-listen-address", loopback,
		"--resources-path", s.ResourcesDir,
		"--config", s.ConfigFile,
		"--enable-app-health-check",
		"--app-health-check-path", healthPath,
		"--app-health-probe-interval", strconv.Itoa(probeSeconds),
		"--app-health-probe-timeout", strconv.Itoa(probeTimeoutMS),
		"--app-health-threshold", strconv.Itoa(probeFailures),
		"--dapr-graceful-shutdown-seconds", strconv.Itoa(s.ShutdownSeconds),
		"--disable-init-endpoints", initEndpointsOff,
		"--log-as-json",
	}, s.Identity.args()...)
}
