package postgres

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// dirLock keeps a data folder for one process. The kernel gives it back when the process ends, however it ends.
type dirLock struct{ path string }

// held has this process's locks. Record locks belong to a process and go with the first close of the file, so one open
// file serves all users of a folder in this process.
var held = struct {
	sync.Mutex
	by map[string]*heldLock
}{by: map[string]*heldLock{}}

type heldLock struct {
	file  *os.File
	users int
}

func lockDir(dir string) (*dirLock, error) {
	path := filepath.Join(dir, "lock")
	held.Lock()
	defer held.Unlock()
	if h := held.by[path]; h != nil {
		h.users++
		return &dirLock{path: path}, nil
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if errors.Is(err, os.ErrPermission) {
		return nil, fmt.Errorf("it belongs to another user: run as that user, or as root: %w", err)
	}
	if err != nil {
		return nil, err
	}
	l := syscall.Flock_t{Type: syscall.F_WRLCK}
	if err := syscall.FcntlFlock(f.Fd(), syscall.F_SETLK, &l); err != nil {
		_ = syscall.FcntlFlock(f.Fd(), syscall.F_GETLK, &l)
		_ = f.Close()
		if errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EACCES) {
			return nil, fmt.Errorf("process %d uses it", l.Pid)
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	held.by[path] = &heldLock{file: f, users: 1}
	return &dirLock{path: path}, nil
}

func (l *dirLock) release() {
	held.Lock()
	defer held.Unlock()
	h := held.by[l.path]
	if h == nil {
		return
	}
	if h.users--; h.users == 0 {
		delete(held.by, l.path)
		_ = h.file.Close()
	}
}
