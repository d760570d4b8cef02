// Package daprtest runs real daprd sidecars with Taskwire's own components, and small HTTP apps, in tests. Everything that it
// starts ends with the test. Package sidecar is for tests that bring components of their own.
package daprtest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/taskwire/taskwire/local/components"
	"github.com/taskwire/taskwire/local/kafkaconn"
	"github.com/taskwire/taskwire/local/kafkausers"
	"github.com/taskwire/taskwire/testkit/porttest"
)

// daprdEnv is the variable with the path of the daprd to test with.
const daprdEnv = "TASKWIRE_DAPRD"

// Daprd returns the path of the daprd to test with: the value of TASKWIRE_DAPRD, or the one that `make daprd` built.
func Daprd(t testing.TB) string {
	t.Helper()
	if path := os.Getenv(daprdEnv); path != "" {
		return path
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if path := filepath.Join(dir, ".taskwire", "bin", "daprd"); isFile(path) {
			return path
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatalf("these tests need daprd: run `make daprd`, or set %s to one of version 1.18", daprdEnv)
		}
		dir = up
	}
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// Source returns the repository's dapr-components folder by a link in this module, because Go's test cache notices changes
// in the module only.
func Source(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; ; dir = filepath.Dir(dir) {
		for _, below := range []string{"", "components", "local/components"} {
			if path := filepath.Join(dir, below, "testdata", "dapr-components"); isFile(filepath.Join(path, "kafka-pubsub.yaml")) {
				return path
			}
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no dapr-components folder above the test")
		}
	}
}

// Options are the differences from a sidecar of `taskwire up`.
type Options struct {
	App       string // the app id
	Port      int    // where the app listens
	Brokers   string
	Username  string // with which the sidecar logs in to Kafka; none for a Kafka that asks for no user
	Password  string
	NamesFile string   // the file of names that the sidecars of a stack share; default: a new one
	Secrets   string   // JSON; default: {"APP":{}}
	Env       []string // NAME=VALUE
	Changes   []Change // changes of the rendered resources
	DropFlags []string // flags to remove, with their values
	Args      []string // flags to add; of two equal flags the last one counts
	Shutdown  int      // seconds; default: 1
}

// Sidecar is a running daprd.
type Sidecar struct {
	cmd       *exec.Cmd
	addr      string
	exited    chan struct{}
	mu        sync.Mutex
	log       bytes.Buffer
	resources string
}

// Start renders the resources and starts a daprd with them. It does not wait until daprd is ready, see WaitReady.
func Start(t testing.TB, o Options) *Sidecar {
	t.Helper()
	dir := t.TempDir()
	if o.NamesFile == "" {
		o.NamesFile = filepath.Join(dir, "names.db")
	}
	if o.Secrets == "" {
		o.Secrets = fmt.Sprintf(`{%q:{}}`, o.App)
	}
	if o.Shutdown == 0 {
		o.Shutdown = 1
	}
	secrets := filepath.Join(dir, "secrets.json")
	if err := os.WriteFile(secrets, withLogin(t, o), 0o600); err != nil {
		t.Fatal(err)
	}
	resources, config, err := components.Render(components.Config{Source: Source(t), Out: filepath.Join(dir, "run"), App: o.App,
		Kafka: kafkaconn.Settings{Brokers: o.Brokers, Username: o.Username}, SecretsFile: secrets, NameResolutionFile: o.NamesFile})
	if err != nil {
		t.Fatal(err)
	}
	change(t, o.Changes, resources, config)
	ports := porttest.Free(t, 4)
	s := &Sidecar{addr: fmt.Sprintf("127.0.0.1:%d", ports[0]), resources: resources, exited: make(chan struct{})}
	args := components.Sidecar{App: o.App, AppPort: o.Port, HTTPPort: ports[0], GRPCPort: ports[1], InternalPort: ports[2],
		MetricsPort: ports[3], ResourcesDir: resources, ConfigFile: config, ShutdownSeconds: o.Shutdown}.Args()
	s.cmd = exec.CommandContext(context.Background(), Daprd(t), append(dropFlags(args, o.DropFlags), o.Args...)...)
	s.cmd.Env = append(append(os.Environ(), "POD_NAME="+o.App+"-0"), o.Env...)
	pipe, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.cmd.Stderr = s.cmd.Stdout
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go s.follow(pipe)
	t.Cleanup(func() {
		s.Kill()
		if t.Failed() {
			t.Logf("the log of %s's sidecar:\n%s", o.App, s.readable())
		}
	})
	return s
}

// withLogin returns the secrets with the sidecar's user of Kafka, unless they have one.
func withLogin(t testing.TB, o Options) []byte {
	t.Helper()
	var all map[string]map[string]string
	if err := json.Unmarshal([]byte(o.Secrets), &all); err != nil {
		t.Fatal(err)
	}
	if all[kafkausers.Secret] == nil {
		all[kafkausers.Secret] = map[string]string{kafkausers.UsernameKey: o.Username, kafkausers.PasswordKey: o.Password}
	}
	raw, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func (s *Sidecar) follow(r io.Reader) {
	defer close(s.exited)
	for lines := bufio.NewReader(r); ; {
		line, err := lines.ReadBytes('\n')
		s.mu.Lock()
		s.log.Write(line)
		s.mu.Unlock()
		if err != nil {
			_ = s.cmd.Wait()
			return
		}
	}
}

// Kill kills the process with SIGKILL and returns when it has ended.
func (s *Sidecar) Kill() {
	_ = s.cmd.Process.Kill()
	<-s.exited
}

// Signal sends a signal to the process, such as SIGSTOP.
func (s *Sidecar) Signal(t testing.TB, signal os.Signal) {
	t.Helper()
	if err := s.cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
}

// Stop asks the sidecar to end, as a supervisor does, and returns how long that took.
func (s *Sidecar) Stop(t testing.TB) time.Duration {
	t.Helper()
	began := time.Now()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.exited:
	case <-time.After(time.Minute):
		t.Fatal("daprd did not end")
	}
	return time.Since(began)
}

// Exited returns a channel that is closed when the process has ended.
func (s *Sidecar) Exited() <-chan struct{} { return s.exited }

// Addr returns host:port of the sidecar's HTTP API.
func (s *Sidecar) Addr() string { return s.addr }

// Resources returns the folder with the sidecar's resources.
func (s *Sidecar) Resources() string { return s.resources }

// Log returns the sidecar's output so far.
func (s *Sidecar) Log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// WaitReady waits until the sidecar serves its API and has loaded its components.
func (s *Sidecar) WaitReady(t testing.TB) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		status, _, err := s.Call(t, http.MethodGet, "/v1.0/healthz/outbound", nil)
		if err == nil && status < 300 {
			return
		}
		select {
		case <-s.exited:
			t.Fatal("daprd ended before it was ready")
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("daprd is not ready: %d %v", status, err)
		}
	}
}

// Call calls the sidecar's HTTP API.
func (s *Sidecar) Call(t testing.TB, method, path string, body []byte, headers ...string) (status int, answer string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://"+s.addr+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(raw), err
}

// Publish publishes a JSON document with metadata, given as name, value, …
func (s *Sidecar) Publish(t testing.TB, topic, data string, metadata ...string) error {
	t.Helper()
	query := url.Values{}
	for i := 0; i+1 < len(metadata); i += 2 {
		query.Set("metadata."+metadata[i], metadata[i+1])
	}
	status, answer, err := s.Call(t, http.MethodPost, "/v1.0/publish/kafka-pubsub/"+topic+"?"+query.Encode(), []byte(data),
		"Content-Type", "application/json")
	if err != nil {
		return err
	}
	if status != http.StatusNoContent {
		return errors.New(answer)
	}
	return nil
}

func dropFlags(args, drop []string) []string {
	var kept []string
	for i := 0; i < len(args); i++ {
		dropped := false
		for _, d := range drop {
			dropped = dropped || args[i] == d
		}
		if !dropped {
			kept = append(kept, args[i])
		} else if i+1 < len(args) && !strings.HasPrefix(args[i+1], "--") {
			i++
		}
	}
	return kept
}

// readable returns the warnings and errors of the log, and its last lines.
func (s *Sidecar) readable() string {
	const lastLines, most = 8, 40
	lines := strings.Split(strings.TrimSpace(s.Log()), "\n")
	var brief []string
	for i, line := range lines {
		var entry struct{ Level, Msg string }
		if json.Unmarshal([]byte(line), &entry) != nil {
			entry.Level, entry.Msg = "?", line
		}
		if entry.Level != "info" || i >= len(lines)-lastLines {
			brief = append(brief, entry.Level+": "+entry.Msg)
		}
	}
	return strings.Join(brief[max(0, len(brief)-most):], "\n")
}
