package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/taskwire/taskwire/local/procid"
	"github.com/taskwire/taskwire/local/runstate"
)

func TestUpDetachedThenStatusLogsAndDown(t *testing.T) {
	long(t)
	t.Parallel()
	root := newRepo(t)
	out := mustRun(t, root, "up", "--no-build", "--detach", "--port", "0")
	defer run(t, root, "down")
	for _, want := range []string{"✓ postgres ready", "✓ task-api-daprd ready", "✓ gateway ready", "Taskwire is ready: http://localhost:"} {
		if !strings.Contains(out, want) {
			t.Errorf("up --detach printed %q, want it to contain %q", out, want)
		}
	}
	if strings.Contains(out, " | ") {
		t.Errorf("up --detach showed log lines: %s", out)
	}
	r := status(t, root)
	if !r.Running || !r.Ready || len(r.Parts) != 16 {
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
	var printed statusReport
	if err := json.Unmarshal([]byte(mustRun(t, root, "status", "--json")), &printed); err != nil || !printed.Ready || printed.PID != r.PID || len(printed.Parts) != len(r.Parts) {
		t.Errorf("status --json: got %+v, %v", printed, err)
	}
	table := mustRun(t, root, "status")
	for _, want := range []string{"PART", "MEMORY", "notification-daprd", r.URL + " is ready"} {
		if !strings.Contains(table, want) {
			t.Errorf("status: got %s, want it to contain %q", table, want)
		}
	}
	if got := mustRun(t, root, "logs", "audit", "-n", "1"); !strings.Contains(got, "INFO  listening addr=127.0.0.1:") {
		t.Errorf("logs: got %q", got)
	}
	if got := mustRun(t, root, "logs", "audit", "--raw"); !strings.HasPrefix(got, `{"time":`) {
		t.Errorf("logs --raw: got %q", got)
	}
	if got, ok := run(t, root, "logs", "nothing"); ok || !strings.Contains(got, "task-api-daprd") {
		t.Errorf("logs of an unknown part: got %q, want the known parts", got)
	}
	if got, ok := run(t, root, "up", "--no-build", "--port", "0"); ok || !strings.Contains(got, fmt.Sprintf("pid %d already runs", r.PID)) || !strings.Contains(got, r.URL) {
		t.Errorf("a second up: got %q, want the pid that holds the folder, and the address", got)
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
	long(t)
	t.Parallel()
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
	long(t)
	t.Parallel()
	root := newRepo(t)
	cmd, output := startUp(t, root)
	r := status(t, root)
	all := processes(t, r)
	var gateway procid.ID
	for _, p := range r.Parts {
		switch p.Name {
		case "task-api": // a suspended process does not end when it is asked
			if err := syscall.Kill(p.PID, syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
		case "gateway":
			var err error
			if gateway, err = procid.Of(p.PID); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 2 { // the gateway ends first: then the first signal was handled, and the second one is not merged with it
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the gateway has ended", func() bool { return !gateway.Running() })
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("up after Ctrl-C twice: %v", err)
	}
	noneLeft(t, all)
	if out := output(); !strings.Contains(out, "task-api did not stop in time and was killed") {
		t.Errorf("got %s", out)
	}
}

func TestUpFailsWithTheOutputOfAPartThatDied(t *testing.T) {
	long(t)
	t.Parallel()
	for _, detach := range []string{"--detach=false", "--detach=true"} {
		t.Run(detach, func(t *testing.T) {
			t.Parallel()
			root := newRepo(t)
			script := "#!/bin/sh\n[ \"$1\" = migrate ] && exit 0\necho the door is locked >&2\nexit 4\n"
			if err := os.WriteFile(filepath.Join(root, dataFolder, "bin", "audit"), []byte(script), 0o755); err != nil {
				t.Fatal(err)
			}
			out, ok := run(t, root, "up", "--no-build", "--port", "0", detach)
			if ok || !strings.Contains(out, "taskwire: audit died") || !strings.Contains(out, "the door is locked") || !strings.Contains(out, "audit.log") {
				t.Errorf("up: got success %v, %q", ok, out)
			}
			if s := status(t, root); s.Running {
				t.Errorf("something still runs: %+v", s)
			}
		})
	}
}
