package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskwire/taskwire/testkit/logtest"
)

const actAs = "SERVICE_TEST_ACT_AS"

func TestMain(m *testing.M) {
	switch os.Getenv(actAs) {
	case "fails":
		Main("example", func(context.Context, struct{}, io.Writer) error { return errors.New("no secrets") })
	case "waits": // until it is stopped, and then returns an error, as a start that is cut short does
		Main("example", func(ctx context.Context, _ struct{}, out io.Writer) error {
			fmt.Fprintln(out, "waiting")
			<-ctx.Done()
			return fmt.Errorf("migrate: %w", ctx.Err())
		})
	default:
		os.Exit(m.Run())
	}
}

func TestAServiceThatFailsExitsWith1AndOneLine(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), actAs+"=fails")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 || string(out) != "example: no secrets\n" {
		t.Errorf("got %v and %q, want exit 1 and the error", err, out)
	}
}

func TestAServiceThatIsStoppedDuringItsStartExitsWith0(t *testing.T) {
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), actAs+"=waits")
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(out, make([]byte, len("waiting\n"))); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: got %v, want exit 0", sig, err)
		}
	}
}

func TestAMissingSidecarIsLoggedOnceAndItsArrivalOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logtest.Buffer
		begin := time.Now()
		err := awaitSidecar(t.Context(), func(context.Context) error {
			if time.Since(begin) < time.Minute {
				return errors.New("connection refused")
			}
			return nil
		}, slog.New(slog.NewJSONHandler(&log, nil)), "events wait")
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		if err != nil || len(lines) != 2 || !strings.Contains(lines[0], `"meanwhile":"events wait","error":"connection refused"`) || !strings.Contains(lines[1], "answers now") {
			t.Errorf("got %v and %q", err, lines)
		}
	})
}

func TestASidecarThatComesSoonIsNotLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logtest.Buffer
		begin := time.Now()
		err := awaitSidecar(t.Context(), func(context.Context) error {
			if time.Since(begin) < sidecarGrace-sidecarPoll {
				return errors.New("connection refused")
			}
			return nil
		}, slog.New(slog.NewJSONHandler(&log, nil)), "events wait")
		if err != nil || log.String() != "" {
			t.Errorf("got %v and %q, want nothing", err, log.String())
		}
	})
}

func TestWaitingForASidecarEndsWithTheService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := awaitSidecar(ctx, func(context.Context) error { return errors.New("refused") }, slog.New(slog.DiscardHandler), ""); err != nil {
			t.Errorf("got %v, want nil", err)
		}
	})
}

// ask runs a service with arguments and returns its exit status and output.
func ask(t *testing.T, env []string, args ...string) (int, string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(append(os.Environ(), actAs+"=fails"), env...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

func TestTheVersionIsPrintedWithoutRunning(t *testing.T) {
	if code, out := ask(t, nil, "--version"); code != 0 || !strings.HasPrefix(out, "example dev (commit ") {
		t.Errorf("got exit %d and %q, want 0 and the version", code, out)
	}
}

func TestAnUnknownArgumentIsRefused(t *testing.T) {
	if code, out := ask(t, nil, "--port=80"); code != exitUsage || !strings.Contains(out, "environment") {
		t.Errorf("got exit %d and %q, want %d and what to do", code, out, exitUsage)
	}
}

func TestReadyAsksTheRunningService(t *testing.T) {
	var ready atomic.Bool // the server and the test share it
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" || !ready.Load() {
			http.Error(w, "database: away", http.StatusServiceUnavailable)
		}
	}))
	defer srv.Close()
	_, port, err := net.SplitHostPort(srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	env := []string{"HTTP_ADDR=:" + port, "APP_API_TOKEN=t", "HTTP_PROXY=http://127.0.0.1:1"}
	if code, out := ask(t, env, "--ready"); code != 1 || !strings.Contains(out, "database: away") {
		t.Errorf("not ready: got exit %d and %q, want 1 and what is missing", code, out)
	}
	ready.Store(true)
	if code, out := ask(t, env, "--ready"); code != 0 {
		t.Errorf("ready: got exit %d and %q, want 0", code, out)
	}
	srv.Close()
	if code, _ := ask(t, env, "--ready"); code != 1 {
		t.Errorf("gone: got exit %d, want 1", code)
	}
}
