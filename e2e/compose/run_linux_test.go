package compose

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/taskwire/taskwire/local/kafkaconn"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	// runEnv is set by scripts/compose-test.sh after it has built what the run needs.
	runEnv = "COMPOSE_TEST_RUN"
	// hub is the network namespace of the host: the networks of all pods meet there.
	hub = "hub"
	// startTimeout bounds the start of everything on a machine that is busy with other tests.
	startTimeout = 4 * time.Minute
)

func TestMain(m *testing.M) {
	if description := os.Getenv(containerEnv); description != "" {
		fmt.Fprintln(os.Stderr, "container:", become(description))
		os.Exit(125)
	}
	if what := os.Getenv(brokerEnv); what != "" {
		os.Exit(brokerMain(what))
	}
	os.Exit(m.Run())
}

// brokerMain runs the broker that stands in for Redpanda, and returns the exit code.
func brokerMain(what string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serveBroker(ctx, what); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func TestTheFileStartsAndTheTourRuns(t *testing.T) {
	if os.Getenv(runEnv) == "" {
		t.Skip("needs root and built images: run make compose-test")
	}
	if os.Getuid() != 0 {
		t.Fatal("network and mount namespaces need root: run make compose-test")
	}
	s := newStack(t)
	s.up(startTimeout)

	t.Run("setup made the topics", func(t *testing.T) { s.checkTopics(t) })
	t.Run("the tour runs through the gateway", func(t *testing.T) { s.tour(t) })
	t.Run("each target of Prometheus answers", func(t *testing.T) { s.checkMetrics(t) })
	t.Run("the gateway reaches only the public ports", func(t *testing.T) { s.checkNetworks(t) })
	t.Run("a sidecar refuses a caller without a certificate", func(t *testing.T) { s.checkSidecars(t) })
	t.Run("internal paths are not reachable", func(t *testing.T) { s.checkInside(t) })
	t.Run("every answer has one nosniff", func(t *testing.T) { s.checkNoSniff(t) })
	t.Run("a query reaches the services as it is written", func(t *testing.T) { s.checkQueries(t) })
	t.Run("the gateway reports a stopped service, which restarts alone", func(t *testing.T) { s.checkRestart(t) })
	t.Run("setup can run again and keeps the secrets", func(t *testing.T) { s.checkSetupAgain(t) })
	t.Run("a sidecar that restarts takes the new token", func(t *testing.T) { s.checkSidecarAgain(t) })
	t.Run("sidecars work while sentry is away", func(t *testing.T) { s.checkWithoutSentry(t) })
	t.Run("the operator's tool works in a container", func(t *testing.T) { s.checkTool(t) })
	t.Run("a container cannot write to its root", func(t *testing.T) { s.checkReadOnly(t) })
	s.checkRunning()
	t.Run("each container stops within its grace period", func(t *testing.T) {
		var sidecars []string
		for _, app := range apps {
			sidecars = append(sidecars, app+"-daprd")
		}
		for _, stage := range [][]string{{"gateway"}, apps, sidecars} {
			for _, name := range stage {
				if err := s.stop(name); err != nil {
					t.Errorf("%v\n%s", err, s.tail(name))
				}
			}
		}
	})
}

// newStack creates networks, root file systems and folders. The end of the test removes them.
func newStack(t *testing.T) *stack {
	t.Helper()
	p := project(t)
	for name, svc := range p.Services { // the other images of the profile are only in registries
		if len(svc.Profiles) > 0 && svc.Build == nil {
			delete(p.Services, name)
		}
	}
	dir, err := os.MkdirTemp("", "compose-*")
	if err != nil {
		t.Fatal(err)
	}
	s := &stack{
		t: t, project: p, dir: dir, images: map[string]string{},
		spaces: map[string]*namespace{}, address: map[string]string{}, in: map[string]map[string]string{}, running: map[string]*process{},
	}
	t.Cleanup(s.close)
	for _, d := range []string{"log", "volumes", "images", "hosts"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil { // Postgres' user has to enter it
		t.Fatal(err)
	}
	s.unpackImages()
	s.connect()
	return s
}

// unpackImages copies the trees of scripts/image-build.sh, with the owners that the Dockerfile sets.
func (s *stack) unpackImages() {
	s.t.Helper()
	trees := filepath.Join(root, ".taskwire", "images", "trees", runtime.GOARCH)
	for _, name := range built(s.t) {
		to := filepath.Join(s.dir, "images", name)
		s.images[name] = to
		s.shell("cp", "-a", "--no-preserve=ownership", filepath.Join(trees, name, "root"), to)
		owned := filepath.Join(trees, name, "owned")
		s.shell("cp", "-a", owned+"/.", to+".owned")
		s.shell("chown", "-R", fmt.Sprintf("%d:%d", imageUser, imageUser), to+".owned")
		s.shell("cp", "-a", to+".owned/.", to)
	}
	caddy := filepath.Join(s.dir, "images", "gateway")
	s.images["gateway"] = caddy
	if err := os.MkdirAll(filepath.Join(caddy, "usr", "bin"), 0o755); err != nil {
		s.t.Fatal(err)
	}
	s.shell("cp", filepath.Join(root, ".taskwire", "bin", "caddy"), filepath.Join(caddy, "usr", "bin", "caddy"))
}

// connect creates the networks: a bridge for each in the hub, and a network namespace for each service that has a network of
// its own, with a link to each of its bridges. Nothing is forwarded from one bridge to another, as with Docker. A service
// finds the names in its own networks.
func (s *stack) connect() {
	s.t.Helper()
	prefix := fmt.Sprintf("twc%d", os.Getpid())
	s.space(prefix, hub)
	next := map[string]netip.Addr{}
	front := netip.MustParsePrefix(s.project.Networks["front"].Ipam.Config[0].Subnet)
	for i, network := range s.networks() {
		subnet := front
		if network != "front" {
			subnet = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 251, byte(i), 0}), 24)
		}
		at := subnet.Addr().Next()
		next[network] = at
		s.shell("ip", "-n", prefix+hub, "link", "add", "br-"+network, "type", "bridge")
		s.shell("ip", "-n", prefix+hub, "addr", "add", fmt.Sprintf("%s/%d", at, subnet.Bits()), "dev", "br-"+network)
		s.shell("ip", "-n", prefix+hub, "link", "set", "br-"+network, "up")
	}
	links := 0
	for _, name := range s.project.ServiceNames() {
		svc := s.project.Services[name]
		if holder(svc) != name {
			continue
		}
		s.space(prefix, name)
		s.in[name] = map[string]string{}
		ns := prefix + name
		for network := range svc.Networks {
			next[network] = next[network].Next()
			at, port := next[network], fmt.Sprintf("v%d", links)
			links++
			s.in[name][network] = at.String()
			s.shell("ip", "-n", prefix+hub, "link", "add", port, "type", "veth", "peer", "name", network, "netns", ns)
			s.shell("ip", "-n", prefix+hub, "link", "set", port, "master", "br-"+network, "up")
			s.shell("ip", "-n", ns, "addr", "add", at.String()+"/24", "dev", network)
			s.shell("ip", "-n", ns, "link", "set", network, "up")
		}
		for _, network := range []string{"front", "kafka", "data", "sidecars"} { // the hub uses the first one
			if at := s.in[name][network]; at != "" && s.address[name] == "" {
				s.address[name] = at
			}
		}
	}
	for name := range s.in {
		if err := os.WriteFile(s.hosts(name), []byte(s.names(name)), 0o644); err != nil {
			s.t.Fatal(err)
		}
	}
}

// networks returns the names of the networks.
func (s *stack) networks() []string {
	names := slices.Sorted(maps.Keys(s.project.Networks))
	return slices.DeleteFunc(names, func(n string) bool { return n == "default" })
}

// hosts is the file with the names that a service finds.
func (s *stack) hosts(name string) string { return filepath.Join(s.dir, "hosts", name) }

// names returns the names and addresses in the networks of a service.
func (s *stack) names(of string) string {
	hosts := "127.0.0.1 localhost\n"
	for other, addresses := range s.in {
		for network, at := range addresses {
			if s.in[of][network] == "" {
				continue
			}
			names := []string{other}
			if n := s.project.Services[other].Networks[network]; n != nil {
				names = append(names, n.Aliases...)
			}
			hosts += at + " " + strings.Join(names, " ") + "\n"
		}
	}
	return hosts
}

func (s *stack) space(prefix, name string) {
	s.t.Helper()
	s.shell("ip", "netns", "add", prefix+name)
	s.t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", prefix+name).Run() })
	s.shell("ip", "-n", prefix+name, "link", "set", "lo", "up")
	ns, err := enter(prefix + name)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { close(ns.work) })
	s.spaces[name] = ns
}

func (s *stack) shell(name string, args ...string) {
	s.t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		s.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// close kills what still runs and removes the folders. It keeps the logs of a failed test.
func (s *stack) close() {
	for _, p := range s.running {
		if !p.ended() {
			_ = p.cmd.Process.Kill()
			<-p.done
		}
	}
	if s.t.Failed() {
		s.t.Logf("logs are kept in %s", filepath.Join(s.dir, "log"))
		for _, d := range []string{"images", "volumes", "postgres", "redpanda"} {
			_ = os.RemoveAll(filepath.Join(s.dir, d))
		}
		return
	}
	_ = os.RemoveAll(s.dir)
}

func (s *stack) url() string { return "http://" + s.address["gateway"] + ":8080" }

func (s *stack) tour(t *testing.T) {
	cmd := exec.Command(filepath.Join(root, "scripts", "tour.sh"), s.url())
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := s.spaces[hub].do(cmd.Start); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, out.String(), s.logs())
	}
	if strings.Count(out.String(), " done\n") != 3 {
		t.Errorf("the tours did not run to their ends:\n%s", out.String())
	}
}

func (s *stack) checkTopics(t *testing.T) {
	setup := s.project.Services["setup"].Environment
	admin := kafkaconn.Settings{Brokers: s.address["redpanda"] + ":9092", Username: *setup["KAFKA_USERNAME"], Password: *setup["KAFKA_PASSWORD"]}
	client, err := admin.Client(kgo.Dialer(s.spaces[hub].dial))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	have, err := kadm.NewClient(client).ListTopics(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range events.Topics() {
		if got := len(have[want.Name].Partitions); got != want.Partitions {
			t.Errorf("topic %s: got %d partitions, want %d", want.Name, got, want.Partitions)
		}
	}
}

// curl runs curl in the hub. curl sends a path as it is written.
func (s *stack) curl(t *testing.T, args ...string) string {
	t.Helper()
	var out strings.Builder
	cmd := exec.Command("curl", append([]string{"-sS", "--max-time", "20", "--path-as-is"}, args...)...)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := s.spaces[hub].do(cmd.Start); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("curl %v: %v\n%s", args, err, out.String())
	}
	return out.String()
}

func (s *stack) checkInside(t *testing.T) {
	for _, path := range []string{
		"/metrics", "/METRICS", "/%6detrics", "//metrics", "/metrics/", "/docs/../metrics", "/./metrics", "/docs/%2e%2e/metrics", "/readyz",
		"/internal/jwks", "/events/task-events", "/reminder-cron", "/dapr/config", "/dapr/subscribe", "/debug/pprof/", "/v1.0/healthz",
	} {
		out := s.curl(t, "-w", "\n%{http_code} %{content_type}", s.url()+path)
		if !strings.Contains(out, "\n404 application/problem+json") {
			t.Errorf("GET %s: got %s, want a problem document with 404", path, out)
		}
	}
	if out := s.curl(t, "-w", "\n%{http_code}", s.url()+"/docs"); !strings.HasSuffix(out, "\n200") {
		t.Errorf("GET /docs: got %.200s", out)
	}
}

// checkNoSniff counts the header: a proxy that adds its own to the service's would send two.
func (s *stack) checkNoSniff(t *testing.T) {
	for _, path := range []string{"/", "/healthz", "/metrics", "//x", "/api/v1/tasks", "/api/v1/audit", "/api/v1/notifications", "/ws", "/none"} {
		out := strings.ToLower(s.curl(t, "-D", "-", "-o", "/dev/null", s.url()+path))
		if strings.Count(out, "\nx-content-type-options: nosniff\r\n") != 1 || strings.Contains(out, "strict-transport-security") {
			t.Errorf("GET %s: got %s, want nosniff once, and no Strict-Transport-Security on plain HTTP", path, out)
		}
	}
}

// checkQueries sends queries that cannot be parsed. A proxy that leaves such a parameter out would turn the 400 of the service
// into the 401 of a request without a token.
func (s *stack) checkQueries(t *testing.T) {
	for _, target := range []string{"/api/v1/tasks?q=20%", "/api/v1/sync?since=2;", "/api/v1/audit?event_type=deleted%", "/api/v1/notifications?unread=true%", "/docs?a;b"} {
		out := s.curl(t, "-w", "\n%{http_code} %{content_type}", s.url()+target)
		if !strings.Contains(out, "\n400 application/problem+json") {
			t.Errorf("GET %s: got %s, want a problem document with 400", target, out)
		}
	}
}

// checkMetrics scrapes the targets of deploy/observability/prometheus.yml that run in this test.
func (s *stack) checkMetrics(t *testing.T) {
	scraped := 0
	for _, target := range targets(t) {
		host, port, _ := strings.Cut(target, ":")
		owner, sidecar := strings.CutSuffix(host, "-daprd")
		if _, ok := s.address[owner+"-pod"]; ok {
			owner += "-pod"
		}
		addr, ok := s.address[owner]
		if sidecar {
			addr = s.in[owner]["sidecars"]
		}
		if !ok {
			continue // its image does not run here
		}
		scraped++
		if out := s.curl(t, "-w", "\n%{http_code}", "http://"+addr+":"+port+"/metrics"); !strings.HasSuffix(out, "\n200") || !strings.Contains(out, "# TYPE ") {
			t.Errorf("%s: got %.300s", target, out)
		}
	}
	if want := 2*len(apps) + 1; scraped != want {
		t.Errorf("scraped %d targets, want %d: each service, each sidecar, kafka-metrics", scraped, want)
	}
}

// checkRestart kills a service but not its sidecar, which keeps its network. The restarted service becomes ready with it.
func (s *stack) checkRestart(t *testing.T) {
	svc := s.project.Services["audit"]
	if err := s.running["audit"].cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-s.running["audit"].done
	out := s.curl(t, "-D", "-", s.url()+"/api/v1/audit/checkpoint")
	if !strings.Contains(out, "HTTP/1.1 502") || !strings.Contains(out, "application/problem+json") || !strings.Contains(strings.ToLower(out), "retry-after: 1") {
		t.Errorf("with audit killed: got %s, want a problem document with 502 and Retry-After", out)
	}
	p, err := s.run(svc)
	if err != nil {
		t.Fatal(err)
	}
	s.running["audit"] = p
	s.until(t, func() error { return s.healthy(svc) })
	s.until(t, func() error {
		if out := s.curl(t, "-w", "\n%{http_code}", s.url()+"/api/v1/audit/checkpoint"); !strings.HasSuffix(out, "\n401") {
			return fmt.Errorf("GET /audit/checkpoint without a token: got %s, want 401", out)
		}
		return nil
	})
}

func (s *stack) until(t *testing.T, ok func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(startTimeout); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if err = ok(); err == nil {
			return
		}
	}
	t.Fatal(err)
}

func (s *stack) checkSetupAgain(t *testing.T) {
	file := filepath.Join(s.dir, "volumes", "audit", "secrets.json")
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.run(s.project.Services["setup"])
	if err != nil {
		t.Fatal(err)
	}
	<-p.done
	after, err := os.ReadFile(file)
	if err != nil || p.cmd.ProcessState.ExitCode() != 0 || string(before) != string(after) {
		t.Errorf("setup again: %v (%v), the same secrets: %v\n%s", p.cmd.ProcessState, err, string(before) == string(after), s.tail("setup"))
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 || info.Sys().(*syscall.Stat_t).Uid != imageUser {
		t.Errorf("secrets.json has mode %v and owner %v (%v), want 0600 of %d", info.Mode(), info.Sys(), err, imageUser)
	}
}

// checkTool runs the commands of docs/deploy/compose.md.
func (s *stack) checkTool(t *testing.T) {
	for _, call := range []struct {
		args []string
		want string
	}{
		{[]string{"outbox", "--data", "/"}, "tasks: 0 waiting, 0 parked"},
		{[]string{"user", "role", "nobody@example.com", "--data", "/"}, "there is no account with this e-mail"},
	} {
		p, err := s.start(s.project.Services["setup"], append([]string{"/service"}, call.args...))
		if err != nil {
			t.Fatal(err)
		}
		<-p.done
		if out := s.tail("setup"); !strings.Contains(out, call.want) {
			t.Errorf("taskwire %v: got\n%s\nwant %q", call.args, out, call.want)
		}
	}
}

// checkReadOnly runs setup with a secrets folder on the root file system. It must fail, because the root is read-only.
func (s *stack) checkReadOnly(t *testing.T) {
	svc := s.project.Services["setup"]
	argv := append([]string{"/service"}, svc.Command...)
	for i := range argv {
		if argv[i] == "--secrets" {
			argv[i+1] = "/tmp/secrets" // 1777 in the image
		}
	}
	p, err := s.start(svc, argv)
	if err != nil {
		t.Fatal(err)
	}
	<-p.done
	if p.cmd.ProcessState.ExitCode() == 0 || !strings.Contains(s.tail("setup"), "read-only file system") {
		t.Errorf("setup could write to /tmp of its root: %v\n%s", p.cmd.ProcessState, s.tail("setup"))
	}
}
