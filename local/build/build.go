// Which programs are built, where, and how a finished one takes its place.

package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/taskwire/taskwire/local/lockfile"
	"github.com/taskwire/taskwire/pkg/events/apps"
)

// program is one binary and its package, from the repository's root.
type program struct{ name, pkg string }

// programs returns what Services builds: the tool and the apps.
func programs() []program {
	all := []program{{"taskwire", "./cmd/taskwire"}}
	for _, app := range apps.All() {
		all = append(all, program{app, "./services/" + app})
	}
	return all
}

// ErrRegistry is wrapped when a build fails because Go's module registry cannot be reached.
var ErrRegistry = errors.New("Go's module registry cannot be reached") //nolint:staticcheck // Go is a name

// Config says what to build from and to.
type Config struct {
	Root   string    // of the repository
	BinDir string    // made if missing
	Out    io.Writer // for progress
	TTY    bool      // Out is a terminal: progress is one line that changes
	Race   bool      // build the services and the tool with the race detector; needs a C compiler
	Daprd  string    // an installed daprd of 1.18 or later to use instead; default: $TASKWIRE_DAPRD
}

// All builds daprd, sentry, the tool and the services.
func All(ctx context.Context, cfg Config) error {
	if err := Dapr(ctx, cfg); err != nil {
		return err
	}
	return Services(ctx, cfg)
}

// Services builds the tool and the services.
func Services(ctx context.Context, cfg Config) error {
	unlock, err := lock(ctx, cfg)
	if err != nil {
		return err
	}
	defer unlock()
	flags, env, staging := []string{"-trimpath"}, []string{"CGO_ENABLED=0"}, ".staging"
	if cfg.Race {
		flags, env, staging = append(flags, "-race"), []string{"CGO_ENABLED=1"}, ".staging-race"
	}
	// Go links a program again when it is missing where go build writes it, and linking takes longer than the rest of a
	// warm build. So go build writes into a folder that stays.
	staging = filepath.Join(cfg.BinDir, staging)
	if err := os.MkdirAll(staging, 0o755); err != nil {
		return fmt.Errorf("build: %w", err)
	}
	job := job{cfg: cfg, what: "the services", dir: cfg.Root, flags: flags, env: env, out: staging + string(filepath.Separator)}
	for _, p := range programs() {
		job.pkgs = append(job.pkgs, p.pkg)
	}
	if err := job.run(ctx); err != nil {
		return err
	}
	for _, p := range programs() {
		if err := install(filepath.Join(staging, p.name), filepath.Join(cfg.BinDir, p.name)); err != nil {
			return fmt.Errorf("build: install %s: %w", p.name, err)
		}
	}
	return nil
}

// install replaces to by a copy of from. A process that runs the old program keeps the old file. The copy gets the
// original's time; a copy with that time and size is current and stays. There is no fsync: a lost build is built again.
func install(from, to string) (err error) {
	want, err := os.Stat(from)
	if err != nil {
		return err
	}
	if have, err := os.Lstat(to); err == nil && have.Size() == want.Size() && have.ModTime().Equal(want.ModTime()) {
		return nil
	}
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.CreateTemp(filepath.Dir(to), ".installing-*")
	if err != nil {
		return err
	}
	defer os.Remove(dst.Name()) // gone when the rename succeeded
	_, err = io.Copy(dst, src)
	if err = errors.Join(err, dst.Chmod(0o755), dst.Close()); err != nil {
		return err
	}
	if err := os.Chtimes(dst.Name(), want.ModTime(), want.ModTime()); err != nil {
		return err
	}
	return os.Rename(dst.Name(), to)
}

// lock makes the folder of programs and waits for its build lock.
func lock(ctx context.Context, cfg Config) (unlock func(), err error) {
	dir := cfg.BinDir
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("build: %w", err)
	}
	held, err := lockfile.Wait(ctx, filepath.Join(dir, ".lock"), 0o644, func() {
		if cfg.Out != nil {
			fmt.Fprintf(cfg.Out, "waiting for another build into %s\n", dir)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("build: %w", err)
	}
	return func() { _ = held.Release() }, nil // the system frees it with the process
}
