package service

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	_ "time/tzdata" // users' time zones, in an image that has no files

	"github.com/taskwire/taskwire/pkg/platform/buildinfo"
	"github.com/taskwire/taskwire/pkg/platform/config"
)

const (
	// readyTimeout bounds the question of --ready: longer than /readyz gives its own checks.
	readyTimeout = 5 * time.Second
	// exitUsage is the exit status of a wrong call.
	exitUsage = 2
)

// command does what the arguments ask for instead of running the service, and returns the exit status.
//
//	--version  prints the build
//	--ready    asks the running service of the same environment whether it is ready; the health check of an image
//	           that has no shell
func command(app string, args []string, out, errs io.Writer) int {
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
	default:
		fmt.Fprintf(errs, "%s: it takes --version, --ready, or nothing; its settings are environment variables\n", app)
		return exitUsage
	}
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
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req) // no proxy: it is this machine
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer)) // what came of it is good enough to read
		return fmt.Errorf("%s: %s", resp.Status, body)
	}
	return nil
}

// maxAnswer is enough of /readyz to see what is missing.
const maxAnswer = 4 << 10
