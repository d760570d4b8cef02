// How Postgres is installed by apt, and which package manager is used.

package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// get installs Postgres with the machine's package manager.
func get(ctx context.Context, cfg Config, as account) (binaries, error) {
	var tried []error
	if os.Geteuid() == 0 {
		if _, err := exec.LookPath("apt-get"); err == nil {
			b, err := getByApt(ctx, cfg)
			if err == nil {
				return b, nil
			}
			tried = append(tried, fmt.Errorf("by apt: %w", err))
		}
	}
	if _, err := exec.LookPath("npm"); err == nil {
		b, err := getByNpm(ctx, cfg, as)
		if err == nil {
			return b, nil
		}
		tried = append(tried, fmt.Errorf("by npm: %w", err))
	}
	if len(tried) == 0 {
		return binaries{}, errNoInstaller
	}
	return binaries{}, fmt.Errorf("could not get Postgres: %w", errors.Join(tried...))
}

// createClusterConf tells Debian's packages whether to make and start a cluster of their own.
const createClusterConf = "/etc/postgresql-common/createcluster.conf"

// getByApt installs the distribution's Postgres without a cluster of Debian's.
func getByApt(ctx context.Context, cfg Config) (binaries, error) {
	steps := []struct {
		say  string
		args []string
	}{
		{"updating apt's package lists", []string{"update", "-q"}},
		{"installing postgresql-common by apt", []string{"install", "-y", "-q", "--no-install-recommends", "postgresql-common"}},
		{"installing postgresql by apt (about 50 MB)", []string{"install", "-y", "-q", "--no-install-recommends", "postgresql"}},
	}
	for i, s := range steps {
		if i == len(steps)-1 {
			restore, err := withoutMainCluster(createClusterConf)
			if err != nil {
				return binaries{}, err
			}
			defer restore()
		}
		cmd := exec.CommandContext(ctx, "apt-get", s.args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if err := runInstaller(ctx, cfg, s.say, cmd); err != nil {
			return binaries{}, err
		}
	}
	found, err := find(ctx, binFolders)
	if err != nil {
		return binaries{}, err
	}
	if len(found) == 0 {
		return binaries{}, fmt.Errorf("apt installed no Postgres of version %d or later", minMajor)
	}
	return found[0], nil
}

// withoutMainCluster turns create_main_cluster off until restore is called.
func withoutMainCluster(conf string) (restore func(), err error) {
	old, err := os.ReadFile(conf)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	absent := err != nil
	if err := os.MkdirAll(filepath.Dir(conf), 0o755); err != nil {
		return nil, err
	}
	var kept []string
	for line := range strings.Lines(string(old)) {
		if !strings.HasPrefix(strings.TrimSpace(line), "create_main_cluster") {
			kept = append(kept, line)
		}
	}
	text := strings.Join(kept, "")
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	if err := os.WriteFile(conf, []byte(text+"create_main_cluster = false\n"), 0o644); err != nil {
		return nil, err
	}
	return func() {
		if absent {
			_ = os.Remove(conf)
			return
		}
		_ = os.WriteFile(conf, old, 0o644)
	}, nil
}

const (
	installerProgress = 5 * time.Second // between two progress lines of a silent installer
	installerTail     = 800             // bytes of an installer's output that its error shows
)

// runInstaller runs one step. It reports progress every few seconds and puts the end of the output in the error.
func runInstaller(ctx context.Context, cfg Config, say string, cmd *exec.Cmd) error {
	cfg.progress("%s", say)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	tick := time.NewTicker(installerProgress)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			cfg.progress("%s: %s so far", say, time.Since(start).Round(time.Second))
		case err := <-done:
			if err == nil {
				return nil
			}
			text := strings.TrimSpace(out.String())
			if len(text) > installerTail {
				text = "…" + text[len(text)-installerTail:]
			}
			return fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, text)
		}
	}
}
