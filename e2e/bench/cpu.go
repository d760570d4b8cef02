package main

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/taskwire/taskwire/local/stack"
	"github.com/taskwire/taskwire/pkg/events/apps"
)

// clockTick is the unit of CPU time in /proc on every Linux that Go runs on.
const clockTick = time.Second / 100

// procStat holds fields of proc_pid_stat(5): the parent, the CPU time of the process, and that of its ended children.
type procStat struct {
	parent     int
	own, ended time.Duration
}

func readStat(pid int) (procStat, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return procStat{}, err
	}
	fields := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:])) // fields 3 and following
	var n [5]int64
	for i, field := range []int{1, 11, 12, 13, 14} {
		if n[i], err = strconv.ParseInt(fields[field], 10, 64); err != nil {
			return procStat{}, err
		}
	}
	return procStat{int(n[0]), time.Duration(n[1]+n[2]) * clockTick, time.Duration(n[3]+n[4]) * clockTick}, nil
}

// cpuOf returns the CPU time that a process and its children have used so far; 0 on a system without /proc.
func cpuOf(pid int) (sum time.Duration) {
	if s, err := readStat(pid); err == nil {
		sum = s.own + s.ended
	}
	all, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return sum
	}
	for _, dir := range all {
		child, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		if s, err := readStat(child); err == nil && s.parent == pid {
			sum += s.own + s.ended
		}
	}
	return sum
}

// usage is the CPU time of each running part, and of this process as "client".
type usage map[string]time.Duration

func usageOf(s *stack.Stack) usage {
	u := usage{"client": ownCPU()}
	for _, p := range s.Status() {
		if p.PID != 0 {
			u[p.Name] = cpuOf(p.PID)
		}
	}
	return u
}

// costs are µs of CPU time an operation, by the part that used them.
type costs map[string]float64

// since returns the CPU time that each of n operations used after before. The sidecars are added up, and so are the
// consumers.
func (u usage) since(before usage, n int64) costs {
	c := costs{}
	for name, used := range u {
		cost := float64((used - before[name]).Microseconds()) / float64(n)
		switch {
		case strings.HasSuffix(name, "-daprd"):
			name = "sidecars"
		case name != taskAPI && slices.Contains(apps.All(), name):
			name = "consumers"
		}
		c[name] += cost
	}
	return c
}

func (c costs) sum() (sum float64) {
	for _, cost := range c {
		sum += cost
	}
	return sum
}

// String returns the sum, and the parts that used at least 1 µs, the most expensive first.
func (c costs) String() string {
	var names []string
	for name, cost := range c {
		if cost >= 1 {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Compare(c[b], c[a]) })
	for i, name := range names {
		names[i] = fmt.Sprintf("%s %.0f", name, c[name])
	}
	return fmt.Sprintf("%4.0f µs (%s)", c.sum(), strings.Join(names, ", "))
}

// load returns the load average of the last minute.
func load() string {
	raw, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	one, _, _ := strings.Cut(string(raw), " ")
	return one
}
