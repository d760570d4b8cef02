// How the databases are migrated: each by the program of its app, in a process of its own, before the first start of the app.

package stack

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/taskwire/taskwire/local/secretfile"
	"github.com/taskwire/taskwire/local/supervise"
	"github.com/taskwire/taskwire/pkg/events/apps"
)

const (
	// migrateWait bounds the wait of one migration for Postgres, which runs already. It also bounds how long the process
	// outlives a stack that was killed.
	migrateWait = time.Minute
	// migrateGrace is how long a migration may take to end when the start is stopped.
	migrateGrace = 3 * time.Second
	// maxMigrateError bounds what is kept of the errors of one migration, in bytes, to show why it failed.
	maxMigrateError = 4 << 10
)

// migrateBefore returns the function that starts an app's process and, before its first one, migrates its database. The
// app is not given the address that this needs. A process that starts again needs no migration.
func (s *Stack) migrateBefore(ctx context.Context, app string, start func() (supervise.Command, error)) func() (supervise.Command, error) {
	if !slices.Contains(apps.Databases(), app) {
		return start
	}
	migrated := false // the supervisor starts one process of a part at a time
	return func() (supervise.Command, error) {
		if !migrated {
			if err := s.migrateApp(ctx, app); err != nil {
				return supervise.Command{}, fmt.Errorf("migrate its database: %w", err)
			}
			migrated = true
		}
		return start()
	}
}

func (s *Stack) migrateApp(ctx context.Context, app string) error {
	url, err := secretfile.Value(s.secretsDir(), secretfile.Migrate(app), secretfile.MigrateKey)
	if err != nil {
		return err
	}
	var said beginning
	cmd := exec.CommandContext(ctx, s.binary(app), "migrate", "--wait", migrateWait.String())
	cmd.Env = environ("MIGRATE_URL=" + url)
	cmd.Stdout, cmd.Stderr = lineWriter(s.lines(app)), &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C in the terminal reaches only us
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = migrateGrace
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return errors.Join(err, said.err())
	}
	return nil
}

// lineWriter passes each line on without its end. Lines come whole: the command writes each with one call.
type lineWriter func(line []byte)

func (w lineWriter) Write(p []byte) (int, error) {
	for line := range strings.Lines(string(p)) {
		w([]byte(strings.TrimSuffix(line, "\n")))
	}
	return len(p), nil
}

// beginning keeps the beginning of what is written to it.
type beginning struct{ kept strings.Builder }

func (t *beginning) Write(p []byte) (int, error) {
	t.kept.Write(p[:min(len(p), max(0, maxMigrateError-t.kept.Len()))])
	return len(p), nil
}

func (t *beginning) err() error {
	if said := strings.TrimSpace(t.kept.String()); said != "" {
		return errors.New(said)
	}
	return nil
}
