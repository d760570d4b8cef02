//go:build !linux

package ports

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

func freeRange() (low, high int) { return lowest, fallbackHighest }

// Holder names the process that listens on port, as "nginx (pid 12)", or "" where it cannot be known.
func Holder(port int) string {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "lsof", "-nP", fmt.Sprintf("-iTCP:%d", port), "-sTCP:LISTEN", "-Fpc").Output()
	if err != nil {
		return ""
	}
	var pid, name string
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSpace(line)
		if rest, ok := strings.CutPrefix(line, "p"); ok && pid == "" {
			pid = rest
		}
		if rest, ok := strings.CutPrefix(line, "c"); ok && name == "" {
			name = rest
		}
	}
	if pid == "" {
		return ""
	}
	return fmt.Sprintf("%s (pid %s)", name, pid)
}
