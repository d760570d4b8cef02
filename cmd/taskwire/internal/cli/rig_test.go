package cli

import (
	"bytes"
	"context"
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
	"github.com/taskwire/taskwire/pkg/events/apps"
)

// actAs makes the test binary one of the programs of a stack: taskwire itself, with the real gateway and broker, or a
// service or sidecar that only answers that it is ready.
const actAs = "TASKWIRE_TEST_ACT_AS"

// patience bounds how long a test waits for what takes a second or two on an idle machine.
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
	case "sentry":
		after := func(flag string) string { return os.Args[slices.Index(os.Args, flag)+1] }
		if err := os.WriteFile(after("--trust-anchors"), []byte("a root certificate"), 0o600); err != nil {
			panic(err)
		}
		answerReady(after("--health-address"))
	default:
		if len(os.Args) > 1 { // migrate or begin
			return
		}
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

// newRepo returns a small repository: the real Dapr resources, and the programs above as if they had been built.
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
	if err := os.WriteFile(filepath.Join(root, "go.work"), []byte("go 1.26\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(real, "dapr-components"), filepath.Join(root, "dapr-components")); err != nil {
		t.Fatal(err)
	}
	for _, name := range append([]string{"taskwire", "daprd", "sentry"}, apps.All()...) {
		script := fmt.Sprintf("#!/bin/sh\n%s=%s exec %s \"$@\"\n", actAs, name, os.Args[0])
		if err := os.WriteFile(filepath.Join(bin, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// command returns `taskwire ARGS` as its own process, which ends with ctx.
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

// status returns what `taskwire status --json` prints, without a process for each poll.
func status(t *testing.T, root string) statusReport {
	t.Helper()
	r, err := readStatus(filepath.Join(root, dataFolder))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// processes returns every process of a running stack.
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

// noneLeft waits until all processes have ended. The system reaps orphans a moment later.
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

// startUp starts `taskwire up` in the foreground and waits until it is ready.
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
			t.Logf("up printed:\n%s", out.String())
		}
	})
	eventually(t, "up is ready", func() bool { return status(t, root).Ready })
	return cmd, func() string { <-read; return out.String() }
}

// long marks a test that starts a stack: it is left out with -short.
func long(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a stack")
	}
}
