package compose

import (
	"go/ast"
	"go/parser"
	"go/token"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/taskwire/taskwire/local/components"
	"github.com/taskwire/taskwire/local/kafkaconn"
	list "github.com/taskwire/taskwire/pkg/events/apps"
)

// Ports of each pod.
const (
	publicPort, appPort                           = 8080, 8081
	daprHTTP, daprGRPC, daprInternal, daprMetrics = 3500, 50001, 50002, 9090
)

// setting is a field of a service's configuration.
type setting struct{ required bool }

// settings returns the settings of the services, read from the `env` tags of their configuration structs.
func settings(t *testing.T, files ...string) map[string]setting {
	t.Helper()
	all := map[string]setting{}
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			field, ok := n.(*ast.Field)
			if !ok || field.Tag == nil {
				return true
			}
			tag, err := strconv.Unquote(field.Tag.Value)
			if err != nil {
				t.Fatal(err)
			}
			name, options, _ := strings.Cut(reflect.StructTag(tag).Get("env"), ",")
			if name != "" {
				all[name] = setting{required: strings.Contains(options, "required")}
			}
			return true
		})
	}
	if len(all) == 0 {
		t.Fatalf("no settings in %v", files)
	}
	return all
}

func TestAServiceGetsExactlyTheSettingsItReads(t *testing.T) {
	p := project(t)
	for _, app := range apps {
		known := settings(t, root+"/pkg/platform/config/config.go", root+"/services/"+app+"/config.go")
		env := p.Services[app].Environment
		for name := range env {
			if _, ok := known[name]; !ok {
				t.Errorf("%s gets %s, which it does not read", app, name)
			}
		}
		for name, s := range known {
			if value := env[name]; s.required && (value == nil || *value == "") {
				t.Errorf("%s does not get %s, which it requires", app, name)
			}
		}
		for name, want := range map[string]string{"HTTP_ADDR": ":8080", "APP_ADDR": "127.0.0.1:8081", "DAPR_HTTP_PORT": "3500", "DAPR_GRPC_PORT": "50001"} {
			if got := env[name]; got == nil || *got != want {
				t.Errorf("%s: %s is not %s", app, name, want)
			}
		}
		shutdown, grace := "", time.Duration(*p.Services[app].StopGracePeriod)
		if value := env["SHUTDOWN_TIMEOUT"]; value != nil {
			shutdown = *value
		}
		if limit, err := time.ParseDuration(shutdown); err != nil || limit >= grace {
			t.Errorf("%s is killed after %s, but its shutdown may take %s (%v)", app, grace, shutdown, err)
		}
	}
}

// sidecarSettings are the environment variables that daprd reads: Dapr's tokens (dapr/pkg/security/consts), the value of
// {podName} (dapr/pkg/runtime/meta) and those of OpenTelemetry (dapr/pkg/config/env).
var sidecarSettings = []string{"APP_API_TOKEN", "DAPR_API_TOKEN", "POD_NAME", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_PROTOCOL",
	"NAMESPACE", "DAPR_TRUST_ANCHORS_FILE", "DAPR_SENTRY_TOKEN_FILE"}

func TestASidecarHasTheTokensOfItsApp(t *testing.T) {
	p := project(t)
	for _, app := range apps {
		env := p.Services[app+"-daprd"].Environment
		for name := range env {
			if !slices.Contains(sidecarSettings, name) {
				t.Errorf("%s-daprd gets %s, which it does not read", app, name)
			}
		}
		for _, name := range []string{"APP_API_TOKEN", "DAPR_API_TOKEN"} {
			if *env[name] != *p.Services[app].Environment[name] {
				t.Errorf("%s and its sidecar do not have the same %s", app, name)
			}
		}
	}
	for _, app := range list.Public() { // each of its processes gets each account event
		name := p.Services[app+"-daprd"].Environment["POD_NAME"]
		if name == nil || !strings.HasPrefix(*name, app+"-") {
			t.Errorf("the POD_NAME of %s-daprd, which is part of the name of its consumer group, does not begin with the app's name", app)
		}
	}
}

// A sidecar has the flags of one on a developer's machine, except those for the ports that other containers use.
func TestASidecarHasTheFlagsThatAreTested(t *testing.T) {
	p := project(t)
	for _, app := range apps {
		want := flags(components.Sidecar{
			App: app, AppPort: appPort, HTTPPort: daprHTTP, GRPCPort: daprGRPC, InternalPort: daprInternal, MetricsPort: daprMetrics,
			ResourcesDir: "/config/" + app + "-daprd/resources", ConfigFile: "/config/" + app + "-daprd/config.yaml", ShutdownSeconds: 35,
			Identity: identity(app),
		}.Args())
		// Other sidecars and Prometheus connect to these, in the network of the sidecars, where this name is.
		want["--dapr-internal-grpc-listen-address"] = app + "-daprd"
		want["--metrics-listen-address"] = app + "-daprd"
		s := p.Services[app+"-daprd"]
		for _, setting := range identity(app).Env() {
			name, value, _ := strings.Cut(setting, "=")
			if got := s.Environment[name]; got == nil || *got != value {
				t.Errorf("%s-daprd: %s is not %s", app, name, value)
			}
		}
		if got := flags(s.Command); !reflect.DeepEqual(got, want) {
			t.Errorf("%s-daprd:\ngot  %v\nwant %v", app, got, want)
		}
		if grace := time.Duration(*s.StopGracePeriod); grace <= 35*time.Second {
			t.Errorf("%s-daprd is killed after %s, but its shutdown may take 35s", app, grace)
		}
	}
}

func identity(app string) components.Identity {
	return components.Identity{Sentry: "sentry:50003", Anchors: "/trust/ca.crt", Token: "/config/" + app + "-daprd/sidecar.jwt"}
}

// flags returns arguments by name. They are written --name value or --name=value.
func flags(args []string) map[string]string {
	all := map[string]string{}
	last := ""
	for _, arg := range args {
		if !strings.HasPrefix(arg, "--") {
			all[last] = arg
			continue
		}
		name, value, _ := strings.Cut(arg, "=")
		all[name], last = value, name
	}
	return all
}

func TestEachAppHasComponents(t *testing.T) {
	for _, app := range apps {
		dir, _, err := components.Render(components.Config{
			Source: root + "/dapr-components", Place: components.Compose, Out: t.TempDir(), App: app, Kafka: kafkaconn.Settings{Brokers: "redpanda:9092", Username: "u"},
			SecretsFile: "/config/" + app + "-daprd/secrets.json",
		})
		if err != nil {
			t.Errorf("%s: %v", app, err)
		}
		if files, _ := filepath.Glob(dir + "/component-*.yaml"); len(files) < 2 {
			t.Errorf("%s has only the components %v", app, files)
		}
	}
	command := strings.Join(project(t).Services["setup"].Command, " ")
	if !strings.Contains(command, "--brokers redpanda:9092") {
		t.Errorf("setup has the command %s: its brokers are not redpanda", command)
	}
}

// targets returns host:port of each target of Prometheus.
func targets(t *testing.T) []string {
	t.Helper()
	raw, err := os.ReadFile(root + "/deploy/observability/prometheus.yml")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, m := range regexp.MustCompile(`targets: \["?([^"\]]+)"?\]`).FindAllStringSubmatch(string(raw), -1) {
		all = append(all, m[1])
	}
	if len(all) < 2*len(apps) {
		t.Fatalf("got %d targets, want at least one for each service and each sidecar", len(all))
	}
	return all
}

// Each target is a name in the network of Prometheus, with the port on which the container listens.
func TestEachTargetOfPrometheusExists(t *testing.T) {
	p := project(t)
	names := map[string]bool{}
	for name, s := range p.Services {
		for network := range p.Services["prometheus"].Networks {
			net, ok := s.Networks[network]
			if !ok {
				continue
			}
			names[name] = true
			if net != nil {
				for _, alias := range net.Aliases {
					names[alias] = true
				}
			}
		}
	}
	for _, target := range targets(t) {
		host, port, err := net.SplitHostPort(target)
		if err != nil || !names[host] {
			t.Errorf("Prometheus scrapes %s (%v), which is not in its network", target, err)
		}
		want := map[bool]string{true: strconv.Itoa(daprMetrics), false: strconv.Itoa(publicPort)}[strings.HasSuffix(host, "-daprd")]
		if slices.Contains(apps, strings.TrimSuffix(host, "-daprd")) && port != want {
			t.Errorf("Prometheus scrapes %s, want port %s", target, want)
		}
	}
}
