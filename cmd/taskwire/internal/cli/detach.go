package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/taskwire/taskwire/local/logfile"
	"github.com/taskwire/taskwire/local/stack"
)

// This file has `taskwire up --detach`: one process starts another one and shows its progress until that one is ready. The
// two talk through a pipe.

// upLog is the name of the log with the output of a detached up.
const upLog = "up"

// reportFD is the file descriptor on which a detached up reports to the process that started it.
const reportFD = 3

// outcome is the last line of a report. The lines before it are progress, as text.
type outcome struct {
	Ready  string `json:"ready,omitempty"`
	Failed string `json:"failed,omitempty"`
}

// outcomeMark begins the line of an outcome. No line of progress begins with it.
const outcomeMark = "="

// detach starts another up in its own session, shows its progress, and returns when it is ready or has failed. If ctx is
// done before that, detach stops it.
func detach(ctx context.Context, f upFlags, data, bin string, out io.Writer) error {
	r, w, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("detach: %w", err)
	}
	defer r.Close()
	log, err := os.OpenFile(stack.LogPath(data, upLog), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		w.Close()
		return fmt.Errorf("detach: %w", err)
	}
	defer log.Close()
	args := []string{"up", "--no-build", "--port", strconv.Itoa(f.port), "--data", data, "--report-fd", strconv.Itoa(reportFD)}
	if f.verbose {
		args = append(args, "--verbose")
	}
	// Start the built program: this process may be a temporary file of `go run`.
	cmd := exec.Command(filepath.Join(bin, "taskwire"), args...) //nolint:noctx // it must outlive this process
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = log, log, []*os.File{w}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	w.Close()
	if err != nil {
		return fmt.Errorf("detach: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Signal(syscall.SIGTERM) }) // it reports, or the pipe is closed
	defer stop()
	for lines := bufio.NewScanner(r); lines.Scan(); {
		raw, ok := strings.CutPrefix(lines.Text(), outcomeMark)
		if !ok {
			fmt.Fprintln(out, lines.Text())
			continue
		}
		var o outcome
		if err := json.Unmarshal([]byte(raw), &o); err != nil {
			return fmt.Errorf("detach: %w", err)
		}
		if o.Ready != "" {
			fmt.Fprintf(out, "  in the background: taskwire status, taskwire logs task-api, taskwire down (make status, logs, down)\n")
			return cmd.Process.Release()
		}
		_ = cmd.Wait() // the report has the reason
		return errors.New(o.Failed)
	}
	err = cmd.Wait()
	if ctx.Err() != nil {
		return errors.New("interrupted; everything has stopped")
	}
	return fmt.Errorf("the detached process ended before it was ready (%w); its output is in %s", err, stack.LogPath(data, upLog))
}

// report is the other end: a detached up writes it. A nil report writes nothing.
type report struct{ w *os.File }

func newReport(fd int) *report {
	if fd == 0 {
		return nil
	}
	syscall.CloseOnExec(fd)
	return &report{os.NewFile(uintptr(fd), "report")}
}

// redirect opens the log that replaces the terminal.
func (r *report) redirect(data string) (*logfile.File, error) {
	if err := os.MkdirAll(filepath.Dir(stack.LogPath(data, upLog)), 0o755); err != nil {
		return nil, err
	}
	return logfile.Open(stack.LogPath(data, upLog))
}

// Write sends the lines of progress. It leaves out the parts' log lines, which begin with the part's name and a bar.
func (r *report) Write(p []byte) (int, error) {
	if r.w != nil && !bytes.Contains(p, []byte(" | ")) {
		_, _ = r.w.Write(p) // an error means that the starter has ended
	}
	return len(p), nil
}

func (r *report) ready(url string) { r.end(outcome{Ready: url}) }

// failed reports an error and returns it.
func (r *report) failed(err error) error {
	r.end(outcome{Failed: err.Error()})
	return err
}

func (r *report) end(o outcome) {
	if r == nil || r.w == nil {
		return
	}
	raw, err := json.Marshal(o)
	if err == nil {
		_, _ = fmt.Fprintf(r.w, "%s%s\n", outcomeMark, raw) // an error means that the starter has ended
	}
	r.w.Close()
	r.w = nil
}
