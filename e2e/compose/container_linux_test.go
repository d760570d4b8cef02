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

// containerEnv holds a container's description for the process that becomes it.
const containerEnv = "COMPOSE_TEST_CONTAINER"

// container is what a process sees of a container: the part of a container runtime that matters here.
type container struct {
	Root     string // becomes /
	ReadOnly bool
	UID, GID int
	Mounts   []mount
	Tmpfs    []string // folders with a file system of their own
	Env      []string
	Argv     []string
}

type mount struct {
	Source, Target string
	ReadOnly       bool
}

// become turns this process, which is root in a mount namespace of its own, into the container. It returns only an error.
func become(description string) error {
	var c container
	if err := json.Unmarshal([]byte(description), &c); err != nil {
		return err
	}
	runtime.LockOSThread() // the rights below are the thread's, and so are those of what it executes
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

// dropRights is cap_drop ALL, no-new-privileges and the user.
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

// namespace is a network namespace. One thread lives in it and starts what shall run there.
type namespace struct {
	name string
	work chan func()
}

func enter(name string) (*namespace, error) {
	ns := &namespace{name: name, work: make(chan func())}
	entered := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
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

// dial connects from within the namespace. The socket is made on the namespace's thread, for which the connection must not
// be raced by a second one.
func (n *namespace) dial(ctx context.Context, network, address string) (conn net.Conn, err error) {
	err = n.do(func() error {
		conn, err = (&net.Dialer{FallbackDelay: -1, Timeout: dialTimeout}).DialContext(ctx, network, address)
		return err
	})
	return conn, err
}

// dialTimeout bounds a connection within one machine; the namespace's thread waits for it.
const dialTimeout = 2 * time.Second
