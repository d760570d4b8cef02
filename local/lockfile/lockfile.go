// Package lockfile lets one process at a time hold a file, and with it whatever the file stands for: a data folder, a
// folder of programs.
//
// Promises: the system frees a lock when its process ends, however that happens, so no lock is ever cleaned up by hand;
// the file names the process that holds it; a second lock of one process on the same file is refused like that of
// another process. The locks are flock(2), by gofrs/flock.
package lockfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

const (
	// lookPatience is how long Take tries: Holder has the lock for a moment each time it looks.
	lookPatience = 50 * time.Millisecond
	lookPoll     = 5 * time.Millisecond
	// waitPoll is how often Wait tries again.
	waitPoll = 50 * time.Millisecond
)

// Lock is a lock that this process holds.
type Lock struct{ flock *flock.Flock }

// HeldError says that another holder has the lock.
type HeldError struct {
	Path string
	PID  int // of the holder; 0 where it is not known
}

func (e *HeldError) Error() string {
	if e.PID == 0 {
		return e.Path + " is locked by another process"
	}
	return fmt.Sprintf("%s is locked by process %d", e.Path, e.PID)
}

// Take locks the file at once, or returns a *HeldError. It makes the file with the given mode where it is missing.
func Take(path string, mode fs.FileMode) (*Lock, error) {
	ctx, cancel := context.WithTimeout(context.Background(), lookPatience)
	defer cancel()
	l := newLock(path, mode)
	ok, err := l.flock.TryLockContext(ctx, lookPoll)
	if !ok && errors.Is(err, context.DeadlineExceeded) {
		pid, _ := pidIn(path) // only to name the holder
		return nil, &HeldError{Path: path, PID: pid}
	}
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return l, l.sign()
}

// Wait locks the file as soon as it can. It calls busy once if another process holds the lock.
func Wait(ctx context.Context, path string, mode fs.FileMode, busy func()) (*Lock, error) {
	l := newLock(path, mode)
	ok, err := l.flock.TryLock()
	if err == nil && !ok {
		busy()
		_, err = l.flock.TryLockContext(ctx, waitPoll)
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = l.flock.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return l, l.sign()
}

// Holder returns the process that holds the lock, 0 where none does.
func Holder(path string) (pid int, err error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	look := flock.New(path, flock.SetFlag(os.O_RDONLY))
	free, err := look.TryRLock()
	if err != nil {
		return 0, fmt.Errorf("look at the lock %s: %w", path, err)
	}
	if free {
		return 0, look.Close()
	}
	return pidIn(path)
}

// Release frees the lock. Releasing it again does nothing.
func (l *Lock) Release() error { return l.flock.Close() }

func newLock(path string, mode fs.FileMode) *Lock {
	return &Lock{flock.New(path, flock.SetPermissions(mode))}
}

// sign writes this process's id into the file, for Holder and HeldError.
func (l *Lock) sign() error {
	err := os.WriteFile(l.flock.Path(), []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600)
	if err != nil {
		_ = l.flock.Close()
		return fmt.Errorf("sign the lock: %w", err)
	}
	return nil
}

func pidIn(path string) (int, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return 0, fmt.Errorf("read the lock: %w", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(raw)))
	if err != nil {
		return 0, fmt.Errorf("%s is locked, but does not name its process: %q", path, raw)
	}
	return pid, nil
}
