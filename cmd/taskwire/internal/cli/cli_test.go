package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/taskwire/taskwire/local/procid"
	"github.com/taskwire/taskwire/local/runstate"
	"github.com/taskwire/taskwire/pkg/events/apps"
)

// actAs makes the test binary one of the programs of a stack: taskwire itself, with the real gateway and broker, or a
// service or sidecar that does no more than answer that it is ready.
const actAs = "TASKWIRE_TEST_ACT_AS"

// patience is with what takes a second or two on an idle machine.
const patience = 2 * time.Minute

func TestMain(m *testing.M) {
	switch os.Getenv(actAs) {
	case "":
		goleak.VerifyTestMain(m)
	case "taskwire":
		os.Exit(Main(os.Args[1:], os.Stdout, os.Stderr))
	case "daprd":
		at := slices.Index(os.Args, "--dapr-http-port")
		answerReady("127.0.0.1:" + os.Args[at+1])
	default:
		answerReady(os.Getenv("HTTP_ADDR"))
	}
}

func answerReady(addr string) {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	l, err := net.Listen("tcp", addr)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf(`{"time":%q,"level":"INFO","msg":"listening","addr":%q}`+"\n", time.Now().Format(time.RFC3339Nano), addr)
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })) // it ends with the process
	<-stop
}

// newRepo is a repository in small: the real Dapr resources, and the programs above as if they had been built.
func newRepo(t *testing.T) (root string) {
	t.Helper()
	root = t.TempDir()
	bin := filepath.Join(root, dataFolder, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	real, err := findRoot()
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"go.work": "go 1.26\n"} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(real, "dapr-components"), filepath.Join(root, "dapr-components")); err != nil {
		t.Fatal(err)
	}
	for _, name := range append([]string{"taskwire", "daprd"}, apps.All()...) {
		script := fmt.Sprintf("#!/bin/sh\n%s=%s exec %s \"$@\"\n", actAs, name, os.Args[0])
		if err := os.WriteFile(filepath.Join(bin, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// command is `taskwire ARGS` as a process of its own, which ends with ctx.
func command(ctx context.Context, root string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(root, dataFolder, "bin", "taskwire"), args...)
	cmd.Dir = root
	cmd.Env = slices.DeleteFunc(os.Environ(), func(kv string) bool {
		return strings.HasPrefix(kv, "DATABASE_URL=") || strings.HasPrefix(kv, "KAFKA_BROKERS=")
	})
	return cmd
}

func run(t *testing.T, root string, args ...string) (output string, ok bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := command(ctx, root, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	out, err := cmd.CombinedOutput()
	return string(out), err == nil
}

func mustRun(t *testing.T, root string, args ...string) string {
	t.Helper()
	out, ok := run(t, root, args...)
	if !ok {
		t.Fatalf("taskwire %v failed: %s", args, out)
	}
	return out
}

func status(t *testing.T, root string) statusReport {
	t.Helper()
	var r statusReport
	out, _ := run(t, root, "status", "--json")
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("status --json: %v: %s", err, out)
	}
	return r
}

// processes names every process of a running stack.
func processes(t *testing.T, r statusReport) (all []procid.ID) {
	t.Helper()
	for _, pid := range procid.Tree(r.PID) {
		if id, err := procid.Of(pid); err == nil {
			id.Exe = ""
			all = append(all, id)
		}
	}
	if len(all) < len(r.Parts) {
		t.Fatalf("found %d processes of %d parts", len(all), len(r.Parts))
	}
	return all
}

// noneLeft waits until all have ended: those that the system reaps, a moment later.
func noneLeft(t *testing.T, all []procid.ID) {
	t.Helper()
	for _, id := range all {
		eventually(t, fmt.Sprintf("pid %d has ended", id.PID), func() bool { return !id.Running() })
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("did not happen within %s: %s", patience, what)
		}
	}
}

// startUp runs `taskwire up` in the foreground until it is ready.
func startUp(t *testing.T, root string, args ...string) (cmd *exec.Cmd, output func() string) {
	t.Helper()
	cmd = command(context.Background(), root, append([]string{"up", "--no-build", "--port", "0"}, args...)...)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	var out bytes.Buffer
	read := make(chan struct{})
	go func() { defer close(read); _, _ = io.Copy(&out, r) }()
	t.Cleanup(func() {
		if t.Failed() {
			state, _ := run(t, root, "status")
			t.Logf("status at the end:\n%s", state)
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if out, ok := run(t, root, "down"); !ok {
			t.Errorf("down: %s", out)
		}
		r.Close()
		<-read
		if t.Failed() {
			t.Logf("up said:\n%s", out.String())
		}
	})
	eventually(t, "up is ready", func() bool { return status(t, root).Ready })
	return cmd, func() string { <-read; return out.String() }
}

func TestUpInTheBackgroundThenStatusLogsAndDown(t *testing.T) {
	root := newRepo(t)
	out := mustRun(t, root, "up", "--no-build", "--detach", "--port", "0")
	defer run(t, root, "down")
	for _, want := range []string{"✓ postgres ready", "✓ task-api-daprd ready", "✓ gateway ready", "Taskwire is ready: http://localhost:"} {
		if !strings.Contains(out, want) {
			t.Errorf("up --detach said %q, want it to have %q", out, want)
		}
	}
	if strings.Contains(out, " | ") {
		t.Errorf("up --detach showed log lines: %s", out)
	}
	r := status(t, root)
	if !r.Running || !r.Ready || len(r.Parts) != 13 {
		t.Errorf("status: got %+v", r)
	}
	for _, p := range r.Parts {
		if p.PID == 0 || p.Port == 0 || !p.Ready || p.RSSBytes == 0 || p.Restarts != 0 {
			t.Errorf("status of %s: got %+v", p.Name, p)
		}
	}
	resp, err := http.Get(r.URL + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("/readyz: got %d", resp.StatusCode)
	}
	table := mustRun(t, root, "status")
	for _, want := range []string{"PART", "MEMORY", "notification-daprd", r.URL + " is ready"} {
		if !strings.Contains(table, want) {
			t.Errorf("status: got %s, want it to have %q", table, want)
		}
	}
	if got := mustRun(t, root, "logs", "audit", "-n", "1"); !strings.Contains(got, "INFO  listening addr=127.0.0.1:") {
		t.Errorf("logs: got %q", got)
	}
	if got := mustRun(t, root, "logs", "audit", "--raw"); !strings.HasPrefix(got, `{"time":`) {
		t.Errorf("logs --raw: got %q", got)
	}
	if got, ok := run(t, root, "logs", "nothing"); ok || !strings.Contains(got, "task-api-daprd") {
		t.Errorf("logs of no part: got %q, want the parts there are", got)
	}
	if got, ok := run(t, root, "up", "--no-build", "--port", "0"); ok || !strings.Contains(got, fmt.Sprintf("pid %d already runs", r.PID)) || !strings.Contains(got, r.URL) {
		t.Errorf("a second up: got %q, want who holds the folder and where", got)
	}
	all := processes(t, r)
	if got := mustRun(t, root, "down"); !strings.Contains(got, "Stopped in") {
		t.Errorf("down: got %q", got)
	}
	noneLeft(t, all)
	if got := mustRun(t, root, "down"); !strings.Contains(got, "Nothing runs") {
		t.Errorf("down again: got %q", got)
	}
	if _, ok := run(t, root, "status"); ok {
		t.Error("status where nothing runs: got success")
	}
}

func TestCtrlCStopsEverythingInOrder(t *testing.T) {
	root := newRepo(t)
	cmd, output := startUp(t, root)
	all := processes(t, status(t, root))
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("up after Ctrl-C: %v", err)
	}
	noneLeft(t, all)
	out := output()
	at := -1
	for _, part := range []string{"gateway", "task-api", "task-api-daprd", "broker", "postgres"} {
		next := strings.Index(out, "· "+part+" stopped")
		if next <= at {
			t.Errorf("%s did not stop in its turn:\n%s", part, out)
		}
		at = next
	}
	if s, err := runstate.Load(filepath.Join(root, dataFolder)); s != nil || err != nil {
		t.Errorf("state after a clean stop: got %v, %v", s, err)
	}
}

func TestASecondCtrlCKillsWhatDoesNotStop(t *testing.T) {
	root := newRepo(t)
	cmd, output := startUp(t, root)
	r := status(t, root)
	all := processes(t, r)
	for _, p := range r.Parts { // a stopped process cannot end when it is asked
		if p.Name == "task-api" {
			if err := syscall.Kill(p.PID, syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 2 {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond) // two signals at once are one
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("up after Ctrl-C twice: %v", err)
	}
	noneLeft(t, all)
	if out := output(); !strings.Contains(out, "task-api was killed") {
		t.Errorf("got %s", out)
	}
}

func TestAKilledUpIsCleanedUpByTheNextOne(t *testing.T) {
	root := newRepo(t)
	cmd, _ := startUp(t, root)
	r := status(t, root)
	all := processes(t, r)
	for _, p := range r.Parts { // stopped ones do not end by themselves when their supervisor dies
		if slices.Contains([]string{"postgres", "audit", "audit-daprd", "gateway"}, p.Name) {
			if err := syscall.Kill(p.PID, syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if s := status(t, root); s.Running {
		t.Errorf("status after kill -9: got %+v", s)
	}
	_, _ = startUp(t, root)
	noneLeft(t, all)
	if now := status(t, root); !now.Ready || now.PID == r.PID {
		t.Errorf("status of the next up: got %+v", now)
	}
}

func TestDownEndsWhatAKilledUpLeft(t *testing.T) {
	root := newRepo(t)
	cmd, _ := startUp(t, root)
	r := status(t, root)
	all := processes(t, r)
	for _, p := range r.Parts {
		if err := syscall.Kill(p.PID, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if out := mustRun(t, root, "down"); !strings.Contains(out, "Ended what a killed run had left") {
		t.Errorf("down: got %q", out)
	}
	noneLeft(t, all)
}

func TestAPartThatDoesNotComeUpFailsUpWithWhatItSaid(t *testing.T) {
	root := newRepo(t)
	script := "#!/bin/sh\necho the door is locked >&2\nexit 4\n"
	if err := os.WriteFile(filepath.Join(root, dataFolder, "bin", "audit"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, detach := range []bool{false, true} {
		out, ok := run(t, root, "up", "--no-build", "--port", "0", fmt.Sprintf("--detach=%v", detach))
		if ok || !strings.Contains(out, "taskwire: audit died") || !strings.Contains(out, "the door is locked") || !strings.Contains(out, "audit.log") {
			t.Errorf("up --detach=%v: got success %v, %q", detach, ok, out)
		}
		if s := status(t, root); s.Running {
			t.Errorf("something still runs: %+v", s)
		}
	}
}
