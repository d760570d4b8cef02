// Package sidecar starts the real daprd for tests, with the components that they need, on free ports of the loopback
// interface.
//
// Promises:
//   - Start returns a sidecar that is ready for outbound calls. It ends with the test, by its process id and never by its
//     name.
//   - Without daprd the test fails with the command that builds it. It is not skipped.
//   - When the test fails, the output of daprd is printed.
//
// daprd is the file that TASKWIRE_DAPRD names, or else .taskwire/bin/daprd in the test's folder or the nearest parent.
package sidecar

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/taskwire/taskwire/testkit/logtest"
	"github.com/taskwire/taskwire/testkit/porttest"
)

const (
	// readyTimeout bounds the start. On an idle machine daprd takes 40 ms.
	readyTimeout = 60 * time.Second
	pollEvery    = 20 * time.Millisecond
)

// Config configures a sidecar. Only AppID is required.
type Config struct {
	AppID     string
	AppPort   int               // where the app listens; 0 for no app
	Resources map[string]string // component YAML by file name
	Config    string            // the Configuration's YAML
	APIToken  string            // the token that the sidecar requires of the app
	AppToken  string            // the token that the sidecar sends to the app
	Args      []string          // further flags
	Env       []string          // further variables
	NoWait    bool              // return before the sidecar is ready
}

// Sidecar is one daprd process.
type Sidecar struct {
	HTTPPort, GRPCPort, MetricsPort int
	internalPort                    int

	t    testing.TB
	cfg  Config
	dir  string
	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{} // closed when cmd has ended
	log  *logtest.Buffer
}

// Start runs a sidecar until the test ends.
func Start(t testing.TB, cfg Config) *Sidecar {
	t.Helper()
	s := &Sidecar{t: t, cfg: cfg, dir: t.TempDir(), log: &logtest.Buffer{}}
	resources := filepath.Join(s.dir, "resources")
	if err := os.MkdirAll(resources, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, yaml := range cfg.Resources {
		writeFile(t, filepath.Join(resources, name+".yaml"), yaml)
	}
	if cfg.Config != "" {
		writeFile(t, filepath.Join(s.dir, "config.yaml"), cfg.Config)
	}
	t.Cleanup(func() {
		s.Kill()
		if t.Failed() {
			t.Logf("daprd of %s wrote:\n%s", cfg.AppID, s.log)
		}
	})
	ports := porttest.Free(t, 4)
	s.HTTPPort, s.GRPCPort, s.MetricsPort, s.internalPort = ports[0], ports[1], ports[2], ports[3]
	if err := s.Run(); err != nil {
		t.Fatalf("start daprd for %s: %v\n%s", cfg.AppID, err, s.log)
	}
	return s
}

// Run starts the process on the same ports as before, and waits until it is ready.
func (s *Sidecar) Run() error {
	s.t.Helper()
	args := []string{
		"--app-id", s.cfg.AppID,
		"--dapr-http-port", strconv.Itoa(s.HTTPPort),
		"--dapr-grpc-port", strconv.Itoa(s.GRPCPort),
		"--dapr-internal-grpc-port", strconv.Itoa(s.internalPort),
		"--dapr-listen-addresses", "127.0.0.1",
		"--dapr-internal-grpc-listen-address", "127.0.0.1",
		"--metrics-port", strconv.Itoa(s.MetricsPort),
		"--metrics-listen-address", "127.0.0.1",
		"--dapr-graceful-shutdown-seconds", "1",
		"--placement-host-address", "",
		"--scheduler-host-address", "",
		"--resources-path", filepath.Join(s.dir, "resources"),
	}
	if s.cfg.AppPort != 0 {
		args = append(args, "--app-port", strconv.Itoa(s.cfg.AppPort), "--app-protocol", "http", "--app-channel-address", "127.0.0.1")
	}
	if s.cfg.Config != "" {
		args = append(args, "--config", filepath.Join(s.dir, "config.yaml"))
	}
	cmd := exec.CommandContext(context.WithoutCancel(s.t.Context()), Binary(s.t), append(args, s.cfg.Args...)...)
	cmd.Dir = s.dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "NAMESPACE=default",
		"DAPR_API_TOKEN=" + s.cfg.APIToken, "APP_API_TOKEN=" + s.cfg.AppToken}, s.cfg.Env...)
	cmd.Stdout, cmd.Stderr = s.log, s.log
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan struct{})
	go func() { _ = cmd.Wait(); close(done) }()
	s.mu.Lock()
	s.cmd, s.done = cmd, done
	s.mu.Unlock()
	if s.cfg.NoWait {
		return nil
	}
	return s.WaitReady()
}

// WaitReady waits until the sidecar is ready for outbound calls.
func (s *Sidecar) WaitReady() error {
	url := fmt.Sprintf("http://127.0.0.1:%d/v1.0/healthz/outbound", s.HTTPPort)
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for deadline := time.Now().Add(readyTimeout); time.Now().Before(deadline); {
		resp, err := client.Get(url)
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode/100 == 2 {
				return nil
			}
		}
		select {
		case <-s.done:
			return fmt.Errorf("daprd ended: %s", s.cmd.ProcessState)
		case <-time.After(pollEvery):
		}
	}
	return fmt.Errorf("daprd was not ready within %s", readyTimeout)
}

// Kill ends the process at once, as a crash does, and waits for its end.
func (s *Sidecar) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	<-s.done
	s.cmd = nil
}

// Log returns the output of daprd until now.
func (s *Sidecar) Log() string { return s.log.String() }

// Binary returns the path of daprd.
func Binary(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("TASKWIRE_DAPRD"); path != "" {
		return path
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		path := filepath.Join(dir, ".taskwire", "bin", "daprd")
		if _, err := os.Stat(path); err == nil {
			return path
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("daprd is not built: run `make daprd` in the root of the repository, or name one in TASKWIRE_DAPRD")
		}
		dir = parent
	}
}

func writeFile(t testing.TB, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
