// Package runstate records on disk which processes belong to a data folder, so that they are found again whatever
// happened to the supervisor that started them.
//
// Promises: one supervisor at a time holds a data folder (Lock; the system frees it when the supervisor dies, however
// that happens); state.json is replaced as a whole and on disk when Save returns; a file that cannot be understood is
// an error that names it and is never overwritten by reading it.
package runstate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/taskwire/taskwire/local/procid"
)

// version is raised when an older taskwire could misread the file.
const version = 1

const (
	// lookTime is longer than a look at the lock takes, lookRetries enough for several at once.
	lookTime    = 5 * time.Millisecond
	lookRetries = 10
)

// State is what state.json holds.
type State struct {
	Version    int       `json:"version"`
	Supervisor procid.ID `json:"supervisor"`
	URL        string    `json:"url"`
	Started    time.Time `json:"started"`
	Ready      bool      `json:"ready"`
	Parts      []Part    `json:"parts"`
}

// Part is one supervised part. PID 0: it has no process now.
type Part struct {
	Name string `json:"name"`
	procid.ID
	Port     int            `json:"port,omitempty"`
	Ready    bool           `json:"ready"`
	Restarts int            `json:"restarts"`
	Since    time.Time      `json:"since"`
	Stop     syscall.Signal `json:"stop_signal"` // what asks it to end
}

// Path is the state file of a data folder.
func Path(data string) string { return filepath.Join(data, "run", "state.json") }

// Save replaces the state file.
func Save(data string, s State) error {
	s.Version = version
	raw, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("encode state: %w", err)
	}
	return WriteFile(Path(data), append(raw, '\n'), 0o644)
}

// Load reads the state file; nil where there is none.
func Load(data string) (*State, error) {
	raw, err := os.ReadFile(Path(data))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read state: %w", err)
	}
	var s State
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, fmt.Errorf("%s is damaged (%w). It tells which processes the last run left. Move it away once no part of Taskwire runs any more on this folder", Path(data), err)
	}
	if s.Version != version {
		return nil, fmt.Errorf("%s has version %d, this taskwire knows %d: stop the run with the taskwire that started it", Path(data), s.Version, version)
	}
	return &s, nil
}

// Remove takes the state file away after a clean stop.
func Remove(data string) error {
	if err := os.Remove(Path(data)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove state: %w", err)
	}
	return nil
}

// Lock is the exclusive hold on a data folder.
type Lock struct{ f *os.File }

// HeldError is a data folder that another supervisor holds.
type HeldError struct {
	Data string
	PID  int // 0 where it is not known
}

func (e *HeldError) Error() string {
	who := "another taskwire"
	if e.PID != 0 {
		who = fmt.Sprintf("taskwire with pid %d", e.PID)
	}
	return fmt.Sprintf("%s already runs on the data folder %s", who, e.Data)
}

// Acquire takes the lock of a data folder, or returns a *HeldError.
func Acquire(data string) (*Lock, error) {
	path := filepath.Join(data, "lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	for range lookRetries { // whoever only looks (Holder) has it for a moment
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			break
		}
		time.Sleep(lookTime)
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	}
	if err != nil {
		defer f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			raw, _ := os.ReadFile(path)
			pid, _ := strconv.Atoi(strings.TrimSpace(string(raw)))
			return nil, &HeldError{Data: data, PID: pid}
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	if err := errors.Join(f.Truncate(0), writeAt(f, fmt.Sprintln(os.Getpid()))); err != nil {
		f.Close()
		return nil, fmt.Errorf("write lock: %w", err)
	}
	return &Lock{f}, nil
}

// Holder is the pid of the supervisor that holds a data folder; 0 where none does.
func Holder(data string) (int, error) {
	f, err := os.Open(filepath.Join(data, "lock"))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("open lock: %w", err)
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB); err == nil {
		return 0, nil
	} else if !errors.Is(err, syscall.EWOULDBLOCK) {
		return 0, fmt.Errorf("lock: %w", err)
	}
	raw, err := os.ReadFile(f.Name())
	if err != nil {
		return 0, fmt.Errorf("read lock: %w", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(raw)))
	if err != nil {
		return 0, fmt.Errorf("%s is held, but does not say by whom: %q", f.Name(), raw)
	}
	return pid, nil
}

// Release gives the data folder free.
func (l *Lock) Release() error { return l.f.Close() }

func writeAt(f *os.File, s string) error {
	_, err := f.WriteAt([]byte(s), 0)
	return err
}

// WriteFile replaces a file as a whole: a reader, and a crash at any moment, finds the old or the new content.
func WriteFile(path string, content []byte, mode fs.FileMode) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // gone when the rename succeeded
	_, err = tmp.Write(content)
	if err = errors.Join(err, tmp.Chmod(mode), tmp.Sync(), tmp.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return os.Rename(tmp.Name(), path)
}
