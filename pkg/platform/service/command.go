package service

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"time"

	_ "time/tzdata" // the images have no files with time zones

	"github.com/taskwire/taskwire/pkg/platform/buildinfo"
	"github.com/taskwire/taskwire/pkg/platform/config"
)

const (
	// readyTimeout bounds --ready. It is longer than the time that /readyz gives its own checks.
	readyTimeout = 5 * time.Second
	// exitUsage is the exit status for unknown arguments.
	exitUsage = 2
)

// Command is something else that the program of a service can do.
type Command struct {
	Name, Summary string // of one line
	// Run runs the command with the arguments after its name and returns the exit status. ctx ends with SIGINT and
	// SIGTERM.
	Run func(ctx context.Context, app string, args []string, out, errs io.Writer) int
}

// command handles the arguments and returns the exit status. The service does not run then.
//
//	--version  prints the build
//	--ready    asks the service that runs with the same environment whether it is ready; images without a shell use it
//	           as their health check
//	--help     prints what the program can do
func command(ctx context.Context, app string, args []string, commands []Command, out, errs io.Writer) int {
	if i := slices.IndexFunc(commands, func(c Command) bool { return c.Name == args[0] }); i >= 0 {
		return commands[i].Run(ctx, app, args[1:], out, errs)
	}
	switch {
	case len(args) == 1 && args[0] == "--version":
		fmt.Fprintln(out, app, buildinfo.Read())
		return 0
	case len(args) == 1 && args[0] == "--ready":
		if err := askReady(); err != nil {
			fmt.Fprintf(errs, "%s: not ready: %v\n", app, err)
			return 1
		}
		return 0
	case len(args) == 1 && (args[0] == "--help" || args[0] == "-h"):
		usage(app, commands, out)
		return 0
	default:
		fmt.Fprintf(errs, "%s: unknown arguments; the settings are environment variables\n", app)
		usage(app, commands, errs)
		return exitUsage
	}
}

func usage(app string, commands []Command, out io.Writer) {
	line := func(name, summary string) { fmt.Fprintf(out, "  %-10s %s\n", name, summary) }
	fmt.Fprintf(out, "Without arguments %s runs the service. It can also be run with\n", app)
	for _, c := range commands {
		line(c.Name, c.Summary)
	}
	line("--ready", "ask the service that runs with the same environment whether it is ready")
	line("--version", "print the version")
	line("--help", "print this text")
}

func askReady() error {
	cfg, err := config.Load[config.Base]()
	if err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(cfg.HTTPAddr)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); host == "" || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/readyz", http.NoBody)
	if err != nil {
		return err
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req) // the zero Transport uses no proxy: the service is on this machine
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer)) // a part of the answer is useful too
		return fmt.Errorf("%s: %s", resp.Status, body)
	}
	return nil
}

// maxAnswer bounds the part of the answer that is shown, in bytes: /readyz names a few parts.
const maxAnswer = 4 << 10
