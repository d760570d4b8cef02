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
	// lineInterval is between two progress lines where the output is no terminal.
	lineInterval = 10 * time.Second
	// quiet is how long a build may take before it says anything: a warm one is done by then.
	quiet = 2 * time.Second
	// errorLines is how much of what Go says of a failed build is shown.
	errorLines = 40
	// stopGrace is how long go may take to end its compilers when the build is cancelled.
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
	p := &progress{cfg: j.cfg, what: j.what, going: "building", gone: "built", total: total, begin: time.Now()}
	stop := p.show()
	var said []string
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		if line := lines.Text(); isPackage(line) {
			p.done.Add(1)
		} else if !strings.HasPrefix(line, "go: downloading ") {
			said = append(said, line)
		}
	}
	err = cmd.Wait()
	stop(err == nil)
	if ctx.Err() != nil {
		return fmt.Errorf("build %s: %w", j.what, ctx.Err())
	}
	if err != nil {
		return failure(j.what, said)
	}
	return nil
}

// staleFormat prints the packages that have to be compiled: Go calls those in its cache stale too.
const staleFormat = `{{if and .Stale (ne .StaleReason "not installed but available in build cache")}}{{.ImportPath}}{{end}}`

// stale counts the packages that are not in Go's cache. It also fetches the modules that are missing.
func (j job) stale(ctx context.Context) (int, error) {
	cmd := goCommand(ctx, j.dir, append(append([]string{"list", "-deps", "-f", staleFormat}, j.flags...), j.pkgs...)...)
	cmd.Env = append(cmd.Env, j.env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	p := &progress{cfg: j.cfg, what: "the modules of " + j.what, going: "fetching", gone: "have", begin: time.Now()}
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

// isPackage tells a line of -v, an import path, from a message.
func isPackage(line string) bool { return line != "" && !strings.ContainsAny(line, " \t:") }

// unreachable is how Go's module client says that it got no answer.
var unreachable = regexp.MustCompile(`dial tcp|no such host|proxyconnect|i/o timeout|connection refused|TLS handshake|` +
	`network is unreachable|server misbehaving|module lookup disabled|Client\.Timeout`)

func failure(what string, said []string) error {
	for _, line := range said {
		if unreachable.MatchString(line) {
			return fmt.Errorf("build %s: %w. GOPROXY names it: set it to one that answers, or try again. Go said: %s",
				what, ErrRegistry, strings.TrimSpace(line))
		}
	}
	if len(said) > errorLines {
		said = append(said[:errorLines:errorLines], "…")
	}
	return fmt.Errorf("build %s: %w", what, errors.New(strings.Join(said, "\n")))
}

// goCommand is go in a folder, with its own process group's end bounded.
func goCommand(ctx context.Context, dir string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS="+strings.TrimSpace(os.Getenv("GOFLAGS")+" -buildvcs=false"))
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopGrace
	return cmd
}
