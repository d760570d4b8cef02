// Package runstate records on disk which processes belong to a data folder, so the next run finds them even if their
// supervisor was killed.
//
// Promises: one supervisor at a time holds a data folder (Acquire); the system frees the hold when the supervisor dies,
// however that happens; state.json is replaced as a whole and is on disk when Save returns; a file that cannot be
// understood is an error that names it, and reading never changes it.
package runstate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/taskwire/taskwire/local/atomicfile"
	"github.com/taskwire/taskwire/local/lockfile"
	"github.com/taskwire/taskwire/local/procid"
)

// version is raised when an older taskwire could misread the file.
const version = 1

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
	Stop     syscall.Signal `json:"stop_signal"` // the signal that asks it to end
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
	return atomicfile.Write(Path(data), append(raw, '\n'), 0o644)
}

// Load reads the state file. It returns nil where there is none.
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
		return nil, fmt.Errorf("%s is damaged (%w). It lists the processes of the last run. Move it away when no part of Taskwire runs on this folder any more", Path(data), err)
	}
	if s.Version != version {
		return nil, fmt.Errorf("%s has version %d, this taskwire knows %d: stop the run with the taskwire that started it", Path(data), s.Version, version)
	}
	return &s, nil
}

// Remove deletes the state file after a clean stop.
func Remove(data string) error {
	if err := os.Remove(Path(data)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove state: %w", err)
	}
	return nil
}

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

// lockMode lets `taskwire status` of another user see who holds the data folder.
const lockMode = 0o644

func lockPath(data string) string { return filepath.Join(data, "lock") }

// Acquire takes the lock of a data folder, or returns a *HeldError.
func Acquire(data string) (*lockfile.Lock, error) {
	lock, err := lockfile.Take(lockPath(data), lockMode)
	var held *lockfile.HeldError
	if errors.As(err, &held) {
		return nil, &HeldError{Data: data, PID: held.PID}
	}
	return lock, err
}

// Holder returns the pid of the supervisor that holds a data folder, 0 where none does.
func Holder(data string) (int, error) { return lockfile.Holder(lockPath(data)) }
