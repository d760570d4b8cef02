package procid

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// Positions in /proc/PID/stat, counted from the field after the program's name (proc_pid_stat(5): state is field 3).
const (
	statState = 0
	statPPID  = 1
	statStart = 19
)

var boot = sync.OnceValue(func() string {
	raw, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "boot"
	}
	return strings.TrimSpace(string(raw))
})

func stat(pid int) ([]string, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
		return nil, fmt.Errorf("pid %d: %w", pid, ErrGone)
	}
	if err != nil {
		return nil, err
	}
	// The name is in brackets and may hold anything, also brackets.
	fields := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
	if len(fields) <= statStart {
		return nil, fmt.Errorf("/proc/%d/stat: %d fields", pid, len(fields))
	}
	return fields, nil
}

func startOf(pid int) (string, error) {
	fields, err := stat(pid)
	if err != nil {
		return "", err
	}
	if s := fields[statState]; s == "Z" || s == "X" {
		return "", fmt.Errorf("pid %d: %w", pid, ErrGone)
	}
	return boot() + ":" + fields[statStart], nil
}

func exeOf(pid int) string {
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(exe, " (deleted)") // which Linux adds where the file was replaced
}

// parents returns the parent of each process.
func parents() (map[int]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	found := map[int]int{}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if fields, err := stat(pid); err == nil { // it may have ended meanwhile
			found[pid], _ = strconv.Atoi(fields[statPPID])
		}
	}
	return found, nil
}

// Memory returns the resident memory in bytes of pid and its descendants. Memory that they share (Postgres' buffers)
// counts once, as the largest part of it that one of them has touched.
func Memory(pid int) int64 {
	var own, shared int64
	for _, p := range Tree(pid) {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p))
		if err != nil {
			continue
		}
		rss, shm := statusKiB(raw, "VmRSS:"), statusKiB(raw, "RssShmem:")
		own += rss - shm
		shared = max(shared, shm)
	}
	return (own + shared) << 10
}

func statusKiB(raw []byte, key string) int64 {
	for line := range bytes.Lines(raw) {
		if rest, ok := bytes.CutPrefix(line, []byte(key)); ok {
			n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(string(rest)), " kB"), 10, 64)
			return n
		}
	}
	return 0
}
