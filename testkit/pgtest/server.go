package pgtest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	osexec "os/exec"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	localpg "github.com/taskwire/taskwire/local/postgres"
)

// envServer names a server to use instead of starting one.
const envServer = "TEST_DATABASE_URL"

// stopTimeout bounds the stop of the server. It has no data to save.
const stopTimeout = 10 * time.Second

var shared struct {
	sync.Mutex
	url  string
	stop func()
}

// server returns the superuser's address of the server of this process's tests. It starts the server when necessary.
func server(ctx context.Context) (string, error) {
	shared.Lock()
	defer shared.Unlock()
	if shared.url != "" {
		return shared.url, nil
	}
	if given := os.Getenv(envServer); given != "" {
		if u, err := url.Parse(given); err != nil || u.Scheme == "" || u.Host == "" {
			return "", fmt.Errorf("%s is not an address like postgres://user:password@host:port/postgres", envServer)
		}
		shared.url = given
		return given, nil
	}
	dir, err := os.MkdirTemp("", "taskwire-pgtest-")
	if err != nil {
		return "", err
	}
	s, err := localpg.Start(ctx, localpg.Config{
		DataDir:  dir,
		Progress: func(line string) { fmt.Fprintln(os.Stderr, "pgtest:", line) },
	})
	if err != nil {
		_ = os.RemoveAll(dir)
		return "", err
	}
	reaped, err := reaper(s.PID(), dir)
	if err != nil {
		stopNow(s)
		_ = os.RemoveAll(dir)
		return "", fmt.Errorf("start the process that cleans up: %w", err)
	}
	shared.url = s.URL()
	shared.stop = func() {
		stopNow(s)
		reaped()
	}
	return shared.url, nil
}

func stopNow(s *localpg.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	_ = s.Stop(ctx)
}

// reaper starts a shell that ends the server and removes its folder when this process ends. However the process ends, its
// side of the shell's pipe closes, and the shell waits for that. now does the same at once.
func reaper(pid int, dir string) (now func(), err error) {
	const script = `cat >/dev/null
kill -QUIT "$1" 2>/dev/null
for i in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$1" 2>/dev/null || break; sleep 0.2; done
kill -KILL "$1" 2>/dev/null
rm -rf "$2" || { sleep 1; rm -rf "$2"; }`
	cmd := osexec.Command("/bin/sh", "-c", script, "sh", strconv.Itoa(pid), dir) // without a context: it outlives this process
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C must end only the test, whose end starts the shell's work
	alive, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return func() {
		_ = alive.Close()
		_ = cmd.Wait()
	}, nil
}

// Main runs the tests of a package and stops their server before the process ends. Without Main a helper process stops
// the server a moment later.
func Main(m *testing.M) {
	code := m.Run()
	shared.Lock()
	stop := shared.stop
	shared.Unlock()
	if stop != nil {
		stop()
	}
	os.Exit(code)
}
