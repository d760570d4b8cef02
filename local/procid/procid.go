// Package procid identifies processes. A pid alone does not, because the system gives it to another process later.
//
// Promises: an ID names one process of this machine for ever, by its pid and the time of its start since a named boot;
// Running never takes a later process with the same pid for it; a zombie is not running; Signal, SignalGroup and KillTree
// check the identity right before they send.
package procid

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// ErrGone is wrapped where the process of an ID has ended.
var ErrGone = errors.New("the process has ended")

// ID names one process.
type ID struct {
	PID   int    `json:"pid"`
	Start string `json:"start"`         // boot and time of the start; only compared
	Exe   string `json:"exe,omitempty"` // path of the program; empty where it is not known
}

// Of returns the ID of the running process pid. Take it after the process has become its final program: an exec changes
// Exe, and the ID of the earlier program then counts as ended.
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

// Self returns the ID of this process.
func Self() (ID, error) { return Of(os.Getpid()) }

// Running reports whether the process is alive. Where both programs are known, their names have to be equal too; the
// paths may differ, because a program that was built again has its old file under another path.
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

// KillTree kills the process, its group and all its descendants. Descendants may have moved into other groups, as
// Postgres' backends do.
func (id ID) KillTree() error {
	if !id.Running() {
		return fmt.Errorf("pid %d: %w", id.PID, ErrGone)
	}
	tree := Tree(id.PID)
	err := gone(syscall.Kill(-id.PID, syscall.SIGKILL))
	for _, pid := range tree {
		_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended meanwhile
	}
	return err
}

// Tree returns pid and all its descendants, parents first.
func Tree(pid int) []int {
	all, err := parents()
	if err != nil {
		return []int{pid}
	}
	children := map[int][]int{}
	for child, parent := range all {
		children[parent] = append(children[parent], child)
	}
	tree := []int{pid}
	for i := 0; i < len(tree); i++ {
		tree = append(tree, children[tree[i]]...)
	}
	return tree
}

// gone returns ErrGone for the system's own error of that meaning.
func gone(err error) error {
	if errors.Is(err, syscall.ESRCH) {
		return ErrGone
	}
	return err
}
