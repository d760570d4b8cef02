package compose

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// containerEnv holds the description of a container for the process that becomes it.
const containerEnv = "COMPOSE_TEST_CONTAINER"

// container describes what a process in a container sees, as far as these tests need it.
type container struct {
	Root     string // becomes /
	ReadOnly bool
	UID, GID int
	Mounts   []mount
	Tmpfs    []string // folders with a temporary file system
	Env      []string
	Argv     []string
}

type mount struct {
	Source, Target string
	ReadOnly       bool
}

// become turns this process, which is root in a mount namespace of its own, into the container. It returns only on an
// error.
func become(description string) error {
	var c container
	if err := json.Unmarshal([]byte(description), &c); err != nil {
		return err
	}
	runtime.LockOSThread() // capabilities belong to the thread, and a program that it executes inherits them
	if err := c.mount(); err != nil {
		return err
	}
	if err := errors.Join(syscall.Chroot(c.Root), syscall.Chdir("/")); err != nil {
		return fmt.Errorf("change the root: %w", err)
	}
	if err := c.dropRights(); err != nil {
		return err
	}
	if err := syscall.Exec(c.Argv[0], c.Argv, c.Env); err != nil {
		return fmt.Errorf("execute %s: %w", c.Argv[0], err)
	}
	return nil
}

func (c container) mount() error {
	if err := unix.Mount(c.Root, c.Root, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("mount the root: %w", err)
	}
	for _, m := range c.Mounts {
		if err := unix.Mount(m.Source, filepath.Join(c.Root, m.Target), "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mount %s at %s: %w", m.Source, m.Target, err)
		}
		if m.ReadOnly {
			if err := unix.Mount("", filepath.Join(c.Root, m.Target), "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
				return fmt.Errorf("make %s read-only: %w", m.Target, err)
			}
		}
	}
	for _, t := range c.Tmpfs {
		path, options, _ := strings.Cut(t, ":")
		if err := unix.Mount("tmpfs", filepath.Join(c.Root, path), "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, options); err != nil {
			return fmt.Errorf("mount a tmpfs at %s: %w", path, err)
		}
	}
	if err := unix.Mount("proc", filepath.Join(c.Root, "proc"), "proc", unix.MS_RDONLY, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	if c.ReadOnly {
		if err := unix.Mount("", c.Root, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
			return fmt.Errorf("make the root read-only: %w", err)
		}
	}
	return nil
}

// dropRights drops all capabilities, sets no-new-privileges and changes to the user.
func (c container) dropRights() error {
	for capability := 0; capability <= unix.CAP_LAST_CAP; capability++ {
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(capability), 0, 0, 0); err != nil && !errors.Is(err, unix.EINVAL) {
			return fmt.Errorf("drop capability %d: %w", capability, err)
		}
	}
	err := errors.Join(
		unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
		syscall.Setgroups(nil), syscall.Setgid(c.GID), syscall.Setuid(c.UID),
	)
	if err != nil {
		return fmt.Errorf("drop the rights: %w", err)
	}
	return nil
}

// namespace is a network namespace. One thread stays in it and starts the processes that run there.
type namespace struct {
	name string
	work chan func()
}

func enter(name string) (*namespace, error) {
	ns := &namespace{name: name, work: make(chan func())}
	entered := make(chan error)
	go func() {
		runtime.LockOSThread() // without an unlock the thread ends with the goroutine
		f, err := os.Open("/run/netns/" + name)
		if err == nil {
			err = errors.Join(unix.Setns(int(f.Fd()), unix.CLONE_NEWNET), f.Close())
		}
		entered <- err
		for fn := range ns.work {
			fn()
		}
	}()
	return ns, <-entered
}

// do runs fn in the namespace.
func (n *namespace) do(fn func() error) error {
	done := make(chan error)
	n.work <- func() { done <- fn() }
	return <-done
}

// dial connects from within the namespace. The socket must be created on the thread of the namespace. FallbackDelay is
// negative because a second, parallel attempt would run on another thread.
func (n *namespace) dial(ctx context.Context, network, address string) (conn net.Conn, err error) {
	err = n.do(func() error {
		conn, err = (&net.Dialer{FallbackDelay: -1, Timeout: dialTimeout}).DialContext(ctx, network, address)
		return err
	})
	return conn, err
}

// dialTimeout bounds a connection within one machine. The thread of the namespace waits for it.
const dialTimeout = 2 * time.Second
