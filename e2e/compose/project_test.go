package compose

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"

	list "github.com/taskwire/taskwire/pkg/events/apps"
)

// root is the repository.
const root = "../.."

var apps = list.All()

// secretNames are the settings that have no default: passwords, and two tokens for each app.
var secretNames = func() []string {
	names := []string{"POSTGRES_PASSWORD", "KAFKA_ADMIN_PASSWORD", "GRAFANA_PASSWORD"}
	for _, app := range apps {
		of := strings.ToUpper(strings.ReplaceAll(app, "-", "_"))
		names = append(names, of+"_APP_TOKEN", of+"_DAPR_TOKEN")
	}
	return names
}()

// load reads docker-compose.yml with the .env that `make compose-env` writes, without the settings in without.
func load(t *testing.T, without ...string) (*types.Project, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "env")
	if out, err := exec.Command(root+"/scripts/compose-env.sh", file).CombinedOutput(); err != nil {
		t.Fatalf("compose-env.sh: %v\n%s", err, out)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var env []string
	for _, line := range strings.Split(string(raw), "\n") {
		name, _, ok := strings.Cut(line, "=")
		if ok && !strings.HasPrefix(line, "#") && !slices.Contains(without, name) {
			env = append(env, line)
		}
	}
	opts, err := cli.NewProjectOptions([]string{root + "/docker-compose.yml"}, cli.WithEnv(env), cli.WithProfiles([]string{"observability"}))
	if err != nil {
		t.Fatal(err)
	}
	return opts.LoadProject(context.Background())
}

func project(t *testing.T) *types.Project {
	t.Helper()
	p, err := load(t)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestASecretHasNoDefault(t *testing.T) {
	for _, name := range secretNames {
		if _, err := load(t, name); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: got %v, want an error that names it", name, err)
		}
	}
}

func TestTheExampleHasExactlyTheSettingsInUse(t *testing.T) {
	file, err := os.ReadFile(root + "/docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile(root + "/.env.example")
	if err != nil {
		t.Fatal(err)
	}
	names := func(text []byte, pattern string) []string {
		var all []string
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(text), -1) {
			all = append(all, m[1])
		}
		slices.Sort(all)
		return slices.Compact(all)
	}
	used, listed := names(file, `\$\{([A-Z_]+)`), names(example, `(?m)^([A-Z_]+)=`)
	if !slices.Equal(used, listed) {
		t.Errorf("docker-compose.yml uses %v, .env.example has %v", used, listed)
	}
}

func TestEachRunMakesNewSecrets(t *testing.T) {
	first, second := project(t), project(t)
	for _, name := range secretNames {
		a, b := first.Environment[name], second.Environment[name]
		if len(a) != 64 || a == b {
			t.Errorf("%s: got %d characters, equal in both: %v; want 64 hexadecimal digits that differ", name, len(a), a == b)
		}
	}
}

// TestAnOldFileOfSettingsGetsTheMissingOnes runs the script on the file of an earlier version.
func TestAnOldFileOfSettingsGetsTheMissingOnes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "env")
	old := "# mine\nPOSTGRES_PASSWORD=kept\nTASKWIRE_PORT=9000" // without a newline at its end
	if err := os.WriteFile(file, []byte(old), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second run changes nothing
		if out, err := exec.Command(root+"/scripts/compose-env.sh", file).CombinedOutput(); err != nil {
			t.Fatalf("compose-env.sh: %v\n%s", err, out)
		}
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(raw), old+"\n") {
		t.Errorf("the file begins with %.60q, want it unchanged", raw)
	}
	for _, name := range append(slices.Clone(secretNames), "TASKWIRE_PORT", "LOG_LEVEL") {
		if n := strings.Count(string(raw), "\n"+name+"="); n != 1 {
			t.Errorf("%s is there %d times, want once", name, n)
		}
	}
}

func TestEachContainerIsConfined(t *testing.T) {
	for name, s := range project(t).Services {
		if !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") || s.Privileged {
			t.Errorf("%s keeps privileges: cap_drop %v, security_opt %v", name, s.CapDrop, s.SecurityOpt)
		}
		if !s.ReadOnly && name != "redpanda" {
			t.Errorf("%s can write to its root", name)
		}
		if s.MemLimit == 0 || s.PidsLimit == 0 || s.Logging == nil {
			t.Errorf("%s lacks a limit: memory %d, processes %d, log %v", name, s.MemLimit, s.PidsLimit, s.Logging)
		}
		if want := map[bool]string{false: "unless-stopped", true: "no"}[name == "setup" || strings.HasSuffix(name, "-migrate")]; s.Restart != want {
			t.Errorf("%s: restart %q, want %q", name, s.Restart, want)
		}
		if len(s.CapAdd) > 0 && name != "gateway" {
			t.Errorf("%s adds %v", name, s.CapAdd)
		}
		if s.User == "root" || s.User == "0" || strings.HasPrefix(s.User, "0:") {
			t.Errorf("%s runs as root", name)
		}
	}
}

// The address with which a database is migrated is on a volume of its own. Only the container that migrates reads it.
func TestOnlyTheMigrationHasTheAddressOfTheOwner(t *testing.T) {
	for name, s := range project(t).Services {
		for _, v := range s.Volumes {
			app, owner := strings.CutSuffix(v.Source, "-migrate")
			switch {
			case owner && name != "setup" && (name != app+"-migrate" || !v.ReadOnly):
				t.Errorf("%s mounts %s, read-only %v", name, v.Source, v.ReadOnly)
			case v.Source == "secrets" && name != "setup":
				t.Errorf("%s mounts all secrets", name)
			}
		}
		_, migrates := strings.CutSuffix(name, "-migrate")
		if (s.Environment["MIGRATE_URL"] != nil || s.Environment["MIGRATE_URL_FILE"] != nil) != migrates {
			t.Errorf("%s: whether it is told where the owner's address is: got %v, want %v", name, !migrates, migrates)
		}
	}
}

func TestOnlyTheGatewayIsPublished(t *testing.T) {
	for name, s := range project(t).Services {
		switch {
		case name == "gateway":
			if len(s.Ports) != 1 || s.Ports[0].HostIP != "127.0.0.1" {
				t.Errorf("gateway: got %v, want one port, by default on loopback", s.Ports)
			}
		case name == "grafana" && slices.Contains(s.Profiles, "observability"):
			if len(s.Ports) != 1 || s.Ports[0].HostIP != "127.0.0.1" {
				t.Errorf("grafana: got %v, want one port on loopback", s.Ports)
			}
		case len(s.Ports) > 0 || s.NetworkMode == "host":
			t.Errorf("%s publishes %v (network mode %q)", name, s.Ports, s.NetworkMode)
		}
	}
}

// reaches is the list of networks of each container that has some. A new container has to be added on purpose.
var reaches = map[string][]string{
	"gateway":              {"front"},
	"postgres":             {"data"},
	"redpanda":             {"kafka"},
	"sentry":               {"sidecars"},
	"setup":                {"data", "kafka"},
	"task-api-migrate":     {"data"},
	"audit-migrate":        {"data"},
	"notification-migrate": {"data"},
	"task-api-pod":         {"data", "front", "kafka", "sidecars"},
	"recurring-task-pod":   {"data", "front", "kafka", "sidecars"},
	"audit-pod":            {"data", "front", "kafka", "sidecars"},
	"audit-signer-pod":     {"front", "kafka", "sidecars"}, // it keeps its state in a file
	"notification-pod":     {"data", "front", "kafka", "sidecars"},
	"websocket-pod":        {"front", "kafka", "sidecars"}, // it has no database
	"kafka-metrics":        {"front", "kafka"},
	"prometheus":           {"front", "sidecars"},
	"otel-collector":       {"front"},
	"jaeger":               {"front"},
	"grafana":              {"front"},
}

func TestEachContainerIsInTheNetworksThatItNeeds(t *testing.T) {
	p := project(t)
	for name, s := range p.Services {
		if strings.HasPrefix(s.NetworkMode, types.ServicePrefix) {
			continue // that of its pod
		}
		var got []string
		for network := range s.Networks {
			got = append(got, network)
		}
		if slices.Sort(got); !slices.Equal(got, reaches[name]) {
			t.Errorf("%s is in the networks %v, want %v", name, got, reaches[name])
		}
	}
	for name, network := range p.Networks {
		if network.Internal != (name != "front") {
			t.Errorf("the network %s: internal %v; only front may have a way out", name, network.Internal)
		}
	}
	for _, app := range apps {
		networks := p.Services[app+"-pod"].Networks
		if front := networks["front"].Aliases; slices.Contains(front, app+"-daprd") {
			t.Errorf("%s: the sidecar's name leads into the gateway's network: its ports would listen there", app)
		}
		if !slices.Contains(networks["sidecars"].Aliases, app+"-daprd") {
			t.Errorf("%s: the sidecar has no name in the network of the sidecars", app)
		}
	}
}

func TestEachMountedFileExists(t *testing.T) {
	for name, s := range project(t).Services {
		for _, v := range s.Volumes {
			if v.Type != types.VolumeTypeBind {
				continue
			}
			if _, err := os.Stat(v.Source); err != nil || !v.ReadOnly {
				t.Errorf("%s mounts %s (read-only: %v): %v", name, v.Source, v.ReadOnly, err)
			}
		}
		if s.Build == nil {
			continue
		}
		if _, err := os.Stat(filepath.Join(s.Build.Context, s.Build.Dockerfile)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// built returns the names of the programs that scripts/image-build.sh builds.
func built(t *testing.T) []string {
	t.Helper()
	script, err := os.ReadFile(root + "/scripts/image-build.sh")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range regexp.MustCompile(`(?m)^  ([a-z|-]+)\) package=`).FindAllStringSubmatch(string(script), -1) {
		names = append(names, strings.Split(m[1], "|")...)
	}
	return names
}

func TestEachImageIsBuiltHereOrPinned(t *testing.T) {
	names := built(t)
	pinned := regexp.MustCompile(`^[a-z0-9./-]+:v?\d+\.\d+(\.\d+)?(-[a-z0-9.]+)?(@sha256:[0-9a-f]{64})?$`)
	for name, s := range project(t).Services {
		if s.Build == nil {
			if !pinned.MatchString(s.Image) {
				t.Errorf("%s: %s is not pinned to a version", name, s.Image)
			}
			continue
		}
		program := *s.Build.Args["SERVICE"]
		if !slices.Contains(names, program) || s.Image != "taskwire/"+program+":dev" {
			t.Errorf("%s builds %s as %s; scripts/image-build.sh builds %v", name, program, s.Image, names)
		}
		if slices.Contains(apps, name) && program != name {
			t.Errorf("%s runs %s", name, program)
		}
	}
}

func TestTheGatewayIsTheCaddyThatIsTested(t *testing.T) {
	mod, err := os.ReadFile(root + "/tools/caddy/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`caddyserver/caddy/v2 v(\S+)`).FindStringSubmatch(string(mod))[1]
	if image := project(t).Services["gateway"].Image; !strings.HasPrefix(image, "caddy:"+version+"-") {
		t.Errorf("the gateway is %s, tools/caddy has %s", image, version)
	}
}

func TestEachDependencyCanBecomeReady(t *testing.T) {
	p := project(t)
	for name, s := range p.Services {
		for on, how := range s.DependsOn {
			target := p.Services[on]
			switch {
			case how.Condition == types.ServiceConditionHealthy && target.HealthCheck == nil:
				t.Errorf("%s waits for %s to be healthy, which has no health check", name, on)
			case how.Condition == types.ServiceConditionCompletedSuccessfully && target.Restart != "no":
				t.Errorf("%s waits for %s to end, which is restarted", name, on)
			}
		}
	}
	for _, app := range apps {
		first := map[string]string{app: "setup"} // what ends before it starts
		if _, ok := p.Services[app+"-migrate"]; ok {
			first[app] = app + "-migrate" // which itself waits for setup
		}
		for name, before := range first {
			s := p.Services[name]
			if s.NetworkMode != "service:"+app+"-pod" || s.DependsOn[before].Condition != types.ServiceConditionCompletedSuccessfully {
				t.Errorf("%s: network %s, waits for %v", name, s.NetworkMode, s.DependsOn)
			}
		}
		sidecar := p.Services[app+"-daprd"] // sentry itself waits for setup
		if sidecar.NetworkMode != "service:"+app+"-pod" || sidecar.DependsOn["sentry"].Condition != types.ServiceConditionHealthy {
			t.Errorf("%s-daprd: network %s, waits for %v", app, sidecar.NetworkMode, sidecar.DependsOn)
		}
		if p.Services["gateway"].DependsOn[app].Condition != types.ServiceConditionHealthy {
			t.Errorf("the gateway does not wait for %s", app)
		}
	}
}
