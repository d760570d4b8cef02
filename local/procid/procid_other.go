//go:build !linux

package procid

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/shirou/gopsutil/v4/process"
)

func find(pid int) (*process.Process, error) {
	p, err := process.NewProcess(int32(pid))
	if errors.Is(err, process.ErrorProcessNotRunning) {
		return nil, fmt.Errorf("pid %d: %w", pid, ErrGone)
	}
	return p, err
}

// startOf uses the start time that the kernel keeps. On these systems it is absolute, so no boot has to be named.
func startOf(pid int) (string, error) {
	p, err := find(pid)
	if err != nil {
		return "", err
	}
	if states, err := p.Status(); err == nil && slices.Contains(states, process.Zombie) {
		return "", fmt.Errorf("pid %d: %w", pid, ErrGone)
	}
	start, err := p.CreateTime()
	if err != nil {
		return "", err
	}
	return strconv.FormatInt(start, 10), nil
}

func exeOf(pid int) string {
	p, err := find(pid)
	if err != nil {
		return ""
	}
	exe, err := p.Exe()
	if err != nil {
		return ""
	}
	return exe
}

// parents returns the parent of each process.
func parents() (map[int]int, error) {
	all, err := process.Processes()
	if err != nil {
		return nil, err
	}
	found := map[int]int{}
	for _, p := range all {
		if parent, err := p.Ppid(); err == nil {
			found[int(p.Pid)] = int(parent)
		}
	}
	return found, nil
}

// Memory returns the resident memory in bytes of pid and its descendants.
func Memory(pid int) int64 {
	var sum int64
	for _, member := range Tree(pid) {
		p, err := find(member)
		if err != nil {
			continue
		}
		if info, err := p.MemoryInfo(); err == nil {
			sum += int64(info.RSS)
		}
	}
	return sum
}
