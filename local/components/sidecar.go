package components

import "strconv"

// Probes of an app's health. They hold deliveries back until the app is there for the first time: without them daprd
// delivers to an app that is still starting, and takes its 404 for "drop this event".
//
// They are not to stop deliveries later. daprd 1.18 would end the subscriptions and start them again when the app is
// back, and when a delivery was being retried meanwhile, the end of the old subscription can come after the start of the
// new one and takes it with it: the topic is then not read any more until the sidecar restarts (docs/adr/0010). An app
// that is away costs one refused connection a second for each partition instead.
const (
	probeSeconds     = 1 // how soon after its app a sidecar is ready; the default is 5
	probeTimeoutMS   = 900
	probeFailures    = 1_000_000 // in a row, 11 days; not more than 2^31-2, where the count overflows into "healthy"
	healthPath       = "/healthz"
	loopback         = "127.0.0.1"
	initEndpointsOff = "config,subscribe" // subscriptions are declared; asking the app for more is a 404 in its log
)

// Sidecar is a daprd process on this machine, beside one app. All fields are needed.
type Sidecar struct {
	App             string
	AppPort         int // of the app's Dapr side
	HTTPPort        int
	GRPCPort        int
	InternalPort    int // for other sidecars; keep it over a restart, see the package's name resolution
	MetricsPort     int
	ResourcesDir    string // from Render
	ConfigFile      string // from Render
	ShutdownSeconds int    // how long it may take to finish what it is delivering when it is told to stop
}

// Args are the flags of daprd. It also reads APP_API_TOKEN, DAPR_API_TOKEN and, for websocket, POD_NAME from its
// environment.
func (s Sidecar) Args() []string {
	return []string{
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
	}
}
