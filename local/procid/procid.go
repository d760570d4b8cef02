// Package procid tells processes apart for sure. A pid alone does not: the system gives it to another process later.
//
// Promises: an ID names one process of this machine for ever (its pid, and the time it was started, counted from a
// named boot); Running never takes a later process with the same pid for it; a zombie is not running; Signal and
// SignalTree check the identity right before they send.
package procid

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// ErrGone is returned where the process named by an ID has ended.
var ErrGone = errors.New("the process has ended")

// ID names one process.
type ID struct {
	PID   int    `json:"pid"`
	Start string `json:"start"`         // boot and time of start; compared, never interpreted
	Exe   string `json:"exe,omitempty"` // path of its program; empty where it is not known
}

// Of names the running process pid.
func Of(pid int) (ID, error) {
	if pid <= 0 {
		return ID{}, fmt.Errorf("pid %d: %w", pid, ErrGone)
	}
	start, err := startOf(pid)
	if err != nil {
		return ID{}, err
	}
	return ID{PID: pid, Start: start, Exe: exeOf(pid)}, nil
}

// Self names this process.
func Self() (ID, error) { return Of(os.Getpid()) }

// Running says whether this very process is alive. The program is compared too where both are known, by name: a
// rebuilt program's old file is shown as deleted, at the same path.
func (id ID) Running() bool {
	now, err := Of(id.PID)
	if err != nil || now.Start != id.Start {
		return false
	}
	return id.Exe == "" || now.Exe == "" || filepath.Base(now.Exe) == filepath.Base(id.Exe)
}

// Signal sends sig to the process, or returns ErrGone.
func (id ID) Signal(sig syscall.Signal) error {
	if !id.Running() {
		return fmt.Errorf("pid %d: %w", id.PID, ErrGone)
	}
	return gone(syscall.Kill(id.PID, sig))
}

// SignalGroup sends sig to the process group that the process leads, or returns ErrGone.
func (id ID) SignalGroup(sig syscall.Signal) error {
	if !id.Running() {
		return fmt.Errorf("pid %d: %w", id.PID, ErrGone)
	}
	return gone(syscall.Kill(-id.PID, sig))
}

// KillTree ends the process, its group and all its descendants at once. Descendants are looked for too because some
// programs (Postgres' backends) move into groups of their own.
func (id ID) KillTree() error {
	if !id.Running() {
		return fmt.Errorf("pid %d: %w", id.PID, ErrGone)
	}
	tree := Tree(id.PID)
	err := gone(syscall.Kill(-id.PID, syscall.SIGKILL))
	for _, pid := range tree {
		_ = syscall.Kill(pid, syscall.SIGKILL) // one that ended meanwhile is what was wanted
	}
	return err
}

func gone(err error) error {
	if errors.Is(err, syscall.ESRCH) {
		return ErrGone
	}
	return err
}

// trimDeleted takes off what Linux adds to the path of a program whose file was replaced.
func trimDeleted(exe string) string { return strings.TrimSuffix(exe, " (deleted)") }
