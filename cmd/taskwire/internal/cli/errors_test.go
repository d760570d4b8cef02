package cli

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/taskwire/taskwire/local/runstate"
	"github.com/taskwire/taskwire/local/stack"
)

// call runs a command in this process.
func call(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = Main(args, &out, &errs)
	return code, out.String(), errs.String()
}

func TestATakenPortIsNamedWithItsHolder(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", ":0"} {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		code, _, errs := call(t, "up", "--data", t.TempDir(), "--port", fmt.Sprint(port))
		l.Close()
		for _, want := range []string{fmt.Sprintf("port %d is taken", port), fmt.Sprintf("(pid %d)", os.Getpid()), "--port P", "make up PORT=P"} {
			if code == 0 || !strings.Contains(errs, want) {
				t.Errorf("up on a taken port: got %d %q, want it to contain %q", code, errs, want)
			}
		}
	}
}

// Only a port that the user has not chosen is replaced by a free one.
func TestATakenDefaultPortIsReplacedByAFreeOne(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	var out bytes.Buffer
	cfg := stack.Config{Root: t.TempDir(), Data: t.TempDir(), BinDir: t.TempDir(), Port: port, Out: &out}
	if _, err := newStack(&cfg, true); !errors.Is(err, stack.ErrPort) || cfg.Port != port {
		t.Errorf("a chosen port that is taken: got port %d and %v, want a refusal", cfg.Port, err)
	}
	s, err := newStack(&cfg, false)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if want := fmt.Sprintf("http://localhost:%d", cfg.Port); cfg.Port <= port || s.URL() != want || !strings.Contains(out.String(), fmt.Sprint(cfg.Port)) {
		t.Errorf("got port %d, %s and %q, want a later port that is named", cfg.Port, s.URL(), out.String())
	}
}

func TestADamagedDataFolderIsNamedAndUnchanged(t *testing.T) {
	for file, mode := range map[string]os.FileMode{
		"run/state.json": 0o644, "secrets/task-api.json": 0o600, "secrets/audit.json": 0o644,
	} {
		data := t.TempDir()
		path := filepath.Join(data, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("{nonsense"), mode); err != nil {
			t.Fatal(err)
		}
		code, _, errs := call(t, "up", "--data", data, "--port", "0")
		if code == 0 || !strings.Contains(errs, path) || strings.Count(errs, "\n") != 1 {
			t.Errorf("up with a damaged %s: got %d %q, want one line that names it", file, code, errs)
		}
		if raw, err := os.ReadFile(path); err != nil || string(raw) != "{nonsense" {
			t.Errorf("%s was changed: %q, %v", file, raw, err)
		}
		if lock, err := runstate.Acquire(data); err != nil {
			t.Errorf("the folder is still locked after the error: %v", err)
		} else {
			lock.Release() // an error does not matter here
		}
	}
}

func TestDamagedServerDataIsNamedAndUnchanged(t *testing.T) {
	long(t)
	t.Parallel()
	root := newRepo(t)
	for _, file := range []string{"postgres/cluster/PG_VERSION", "broker/topics.json"} {
		data := t.TempDir()
		path := filepath.Join(data, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("nonsense"), 0o600); err != nil {
			t.Fatal(err)
		}
		out, ok := run(t, root, "up", "--no-build", "--port", "0", "--data", data)
		if ok || !strings.Contains(out, "damaged") || !strings.Contains(out, filepath.Dir(path)) {
			t.Errorf("up with a damaged %s: got success %v, %q", file, ok, out)
		}
		if raw, err := os.ReadFile(path); err != nil || string(raw) != "nonsense" {
			t.Errorf("%s was changed: %q, %v", file, raw, err)
		}
	}
}

func TestCommandsOutsideTheRepositoryFail(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, args := range [][]string{{"up"}, {"status"}, {"down"}, {"logs", "audit"}, {"user", "role", "a@example.com"}, {"build"}} {
		code, _, errs := call(t, args...)
		if code == 0 || !strings.Contains(errs, "go.work") {
			t.Errorf("%v: got %d %q", args, code, errs)
		}
	}
}

func TestWrongArgumentsAreNamed(t *testing.T) {
	for want, args := range map[string][]string{
		`unknown flag: --prot`:    {"up", "--prot", "1"},
		`port 99999`:              {"up", "--port", "99999", "--data", t.TempDir()},
		`unknown command "begin"`: {"begin"},
		`--only "x"`:              {"build", "--only", "x"},
		`which part's log`:        {"logs", "--data", t.TempDir()},
		`upstream task-api`:       {"gateway"},
		`whose role`:              {"user", "role", "--data", t.TempDir()},
		`nothing was started on`:  {"user", "role", "a@example.com", "auditor", "--data", t.TempDir()},
		`"data", "users" not set`: {"broker"},
		`nothing runs on`:         {"status", "--data", t.TempDir()},
	} {
		code, _, errs := call(t, args...)
		if code == 0 || !strings.Contains(errs, want) || !strings.HasPrefix(errs, "taskwire: ") {
			t.Errorf("taskwire %v: got %d %q, want it to contain %q", args, code, errs, want)
		}
	}
}

func TestTheDataFolderHasTheAddressOfTheDatabase(t *testing.T) {
	data := t.TempDir()
	write := func(secrets string) {
		t.Helper()
		path := filepath.Join(data, "secrets", "task-api-migrate.json")
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(secrets), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for secrets, want := range map[string]string{
		`{"task-api-migrate":{"migrate-url":"postgres://tasks_owner:s3cret@127.0.0.1:1/tasks"}}`: "is Taskwire running?",
		`{"task-api-migrate":{}}`: "has no migrate-url",
		`{`:                       "is damaged",
	} {
		write(secrets)
		code, out, errs := call(t, "user", "role", "a@example.com", "auditor", "--data", data)
		if code == 0 || out != "" || !strings.Contains(errs, want) || strings.Contains(errs, "s3cret") {
			t.Errorf("with the secrets %s: got %d %q %q, want it to contain %q", secrets, code, out, errs, want)
		}
	}
}

func TestEveryCommandHasHelpWithAnExample(t *testing.T) {
	for _, cmd := range newRoot().Commands() {
		if cmd.Short == "" || cmd.Example == "" {
			t.Errorf("taskwire %s has no help or no example", cmd.Name())
		}
		code, out, _ := call(t, cmd.Name(), "--help")
		if code != 0 || !strings.Contains(out, "Examples:") {
			t.Errorf("taskwire %s --help: got %d %q", cmd.Name(), code, out)
		}
	}
	for _, args := range [][]string{{"version"}, {"--version"}} {
		if code, out, _ := call(t, args...); code != 0 || !strings.HasPrefix(out, "taskwire dev (commit ") || !strings.HasSuffix(out, ")\n") {
			t.Errorf("taskwire %v: got %d %q", args, code, out)
		}
	}
}

func TestPrepareNamesWhatIsMissing(t *testing.T) {
	needed := []string{"prepare", "--brokers", "127.0.0.1:1", "--secrets", filepath.Join(t.TempDir(), "secrets"), "--out", t.TempDir(), "--migrate", t.TempDir(), "--state", t.TempDir(), "--trust", t.TempDir(), "--components", "../../../../dapr-components"}
	t.Setenv("DATABASE_URL", "")
	if code, _, errs := call(t, needed...); code == 0 || !strings.Contains(errs, "DATABASE_URL is not set") {
		t.Errorf("without DATABASE_URL: got %d %q", code, errs)
	}
	t.Setenv("DATABASE_URL", "postgres://postgres:s3cret@127.0.0.1:1/postgres")
	if code, _, errs := call(t, needed...); code == 0 || !strings.Contains(errs, "connect to Postgres") || strings.Contains(errs, "s3cret") {
		t.Errorf("without a server: got %d %q", code, errs)
	}
	if code, _, errs := call(t, "prepare"); code == 0 || !strings.Contains(errs, "brokers") {
		t.Errorf("without flags: got %d %q", code, errs)
	}
}
