// How go build is run, and how its failure is reported.

package build

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"time"
)

const (
	// lineInterval is the time between two progress lines where the output is not a terminal.
	lineInterval = 10 * time.Second
	// quiet is how long a build may take before it shows progress: a warm one is done by then.
	quiet = 2 * time.Second
	// errorLines bounds how many lines of a failed build are shown.
	errorLines = 40
	// stopGrace is how long go may take to end its compilers after a build was cancelled.
	stopGrace = 5 * time.Second
)

// job is one run of go build.
type job struct {
	cfg   Config
	what  string
	dir   string
	out   string
	flags []string
	env   []string
	pkgs  []string
}

func (j job) run(ctx context.Context) error {
	total, err := j.stale(ctx)
	if err != nil {
		return err
	}
	cmd := goCommand(ctx, j.dir, append(append([]string{"build", "-v", "-o", j.out}, j.flags...), j.pkgs...)...)
	cmd.Env = append(cmd.Env, j.env...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return fmt.Errorf("build: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("build: run go: %w", err)
	}
	p := &progress{cfg: j.cfg, what: j.what, doing: "building", done: "built", total: total, begin: time.Now()}
	stop := p.show()
	var messages []string
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		if line := lines.Text(); isPackage(line) {
			p.built.Add(1)
		} else if !strings.HasPrefix(line, "go: downloading ") {
			messages = append(messages, line)
		}
	}
	err = cmd.Wait()
	stop(err == nil)
	if ctx.Err() != nil {
		return fmt.Errorf("build %s: %w", j.what, ctx.Err())
	}
	if err != nil {
		return failure(j.what, messages)
	}
	return nil
}

// staleFormat prints the packages that have to be compiled. Go also calls packages stale that are only in its cache.
const staleFormat = `{{if and .Stale (ne .StaleReason "not installed but available in build cache")}}{{.ImportPath}}{{end}}`

// stale returns how many packages are not in Go's cache. It also fetches the missing modules.
func (j job) stale(ctx context.Context) (int, error) {
	cmd := goCommand(ctx, j.dir, append(append([]string{"list", "-deps", "-f", staleFormat}, j.flags...), j.pkgs...)...)
	cmd.Env = append(cmd.Env, j.env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	p := &progress{cfg: j.cfg, what: "the modules of " + j.what, doing: "fetching", done: "have", begin: time.Now()}
	stop := p.show()
	err := cmd.Run()
	stop(err == nil)
	if ctx.Err() != nil {
		return 0, fmt.Errorf("build %s: %w", j.what, ctx.Err())
	}
	if err != nil {
		return 0, failure(j.what, strings.Split(strings.TrimSpace(errs.String()), "\n"))
	}
	return bytes.Count(out.Bytes(), []byte("\n")), nil
}

// isPackage reports whether a line is an import path, as -v prints them, and not a message.
func isPackage(line string) bool { return line != "" && !strings.ContainsAny(line, " \t:") }

// unreachable matches the messages of Go's module client when it gets no answer.
var unreachable = regexp.MustCompile(`dial tcp|no such host|proxyconnect|i/o timeout|connection refused|TLS handshake|` +
	`network is unreachable|server misbehaving|module lookup disabled|Client\.Timeout`)

func failure(what string, messages []string) error {
	for _, line := range messages {
		if unreachable.MatchString(line) {
			return fmt.Errorf("build %s: %w. GOPROXY names it: set it to one that answers, or try again. Go's message: %s",
				what, ErrRegistry, strings.TrimSpace(line))
		}
	}
	if len(messages) > errorLines {
		messages = append(messages[:errorLines:errorLines], "…")
	}
	return fmt.Errorf("build %s: %w", what, errors.New(strings.Join(messages, "\n")))
}

// goCommand runs go in a folder. It ends soon after its context, its compilers too.
func goCommand(ctx context.Context, dir string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS="+strings.TrimSpace(os.Getenv("GOFLAGS")+" -buildvcs=false"))
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopGrace
	return cmd
}
