// How the databases are migrated: each by the program of its app, in a process of its own, before the app starts.

package stack

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/taskwire/taskwire/local/provision"
	"github.com/taskwire/taskwire/local/secretfile"
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

// migrate brings the databases of all apps up to date. The services are not given the addresses that this needs.
func (s *Stack) migrate(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, app := range apps.Databases() {
		group.Go(func() error { return s.migrateApp(ctx, app) })
	}
	return group.Wait()
}

func (s *Stack) migrateApp(ctx context.Context, app string) error {
	s.mu.Lock()
	admin := s.pgURL
	s.mu.Unlock()
	secrets, err := s.secrets.Of(secretfile.Migrate(app), func(role, password string) (string, error) {
		return provision.Address(admin, role, password)
	})
	if err != nil {
		return fmt.Errorf("migrate the database of %s: %w", app, err)
	}
	var said beginning
	cmd := exec.CommandContext(ctx, s.binary(app), "migrate", "--wait", migrateWait.String())
	cmd.Env = environ("MIGRATE_URL=" + secrets[secretfile.Migrate(app)][secretfile.MigrateKey])
	cmd.Stdout, cmd.Stderr = lineWriter(s.lines(app)), &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C in the terminal reaches only us
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = migrateGrace
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("migrate the database of %s: %w", app, errors.Join(err, said.err()))
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
