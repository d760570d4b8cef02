//go:build !linux

package procid

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// psTimeout bounds one look at the process table.
const psTimeout = 5 * time.Second

func ps(args ...string) string {
	ctx, cancel := context.WithTimeout(context.Background(), psTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, "ps", args...).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

func startOf(pid int) (string, error) {
	state, start, _ := strings.Cut(ps("-o", "state=,lstart=", "-p", strconv.Itoa(pid)), " ")
	if state == "" || strings.HasPrefix(state, "Z") {
		return "", fmt.Errorf("pid %d: %w", pid, ErrGone)
	}
	return strings.TrimSpace(start), nil
}

func exeOf(pid int) string { return ps("-o", "comm=", "-p", strconv.Itoa(pid)) }

// Tree lists pid and all its descendants, parents first.
func Tree(pid int) []int {
	children := map[int][]int{}
	for line := range strings.Lines(ps("-A", "-o", "pid=,ppid=")) {
		var p, parent int
		if _, err := fmt.Sscan(line, &p, &parent); err == nil {
			children[parent] = append(children[parent], p)
		}
	}
	tree := []int{pid}
	for i := 0; i < len(tree); i++ {
		tree = append(tree, children[tree[i]]...)
	}
	return tree
}

// Memory is the resident memory in bytes of pid and its descendants.
func Memory(pid int) int64 {
	var sum int64
	for _, p := range Tree(pid) {
		kib, _ := strconv.ParseInt(ps("-o", "rss=", "-p", strconv.Itoa(p)), 10, 64)
		sum += kib << 10
	}
	return sum
}
