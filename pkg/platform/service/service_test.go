package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskwire/taskwire/pkg/platform/logtest"
)

const actAs = "SERVICE_TEST_ACT_AS"

func TestMain(m *testing.M) {
	switch os.Getenv(actAs) {
	case "fails":
		Main("example", func(context.Context, io.Writer) error { return errors.New("no secrets") })
	case "waits": // until it is told to stop, with an error as a start that was cut short has
		Main("example", func(ctx context.Context, out io.Writer) error {
			fmt.Fprintln(out, "waiting")
			<-ctx.Done()
			return fmt.Errorf("migrate: %w", ctx.Err())
		})
	default:
		os.Exit(m.Run())
	}
}

func TestAServiceThatFailsEndsWith1AndOneLine(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), actAs+"=fails")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 || string(out) != "example: no secrets\n" {
		t.Errorf("got %v and %q, want exit 1 and the error", err, out)
	}
}

func TestAServiceThatIsToldToStopWhileItStartsEndsWith0(t *testing.T) {
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

func TestAMissingSidecarIsOneLineAndItsComingAnother(t *testing.T) {
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
		if err != nil || len(lines) != 2 || !strings.Contains(lines[0], `"meanwhile":"events wait","error":"connection refused"`) || !strings.Contains(lines[1], "is there") {
			t.Errorf("got %v and %q", err, lines)
		}
	})
}

func TestASidecarThatComesSoonIsNotWorthALine(t *testing.T) {
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
