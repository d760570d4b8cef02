package service

import (
	"log/slog"
	"os"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

const (
	// gcPercent is higher than Go's 100. A service keeps only a few MiB, so with 100 the collector runs after every few
	// MiB of garbage: many times a second under load, which took a seventh of the task API's CPU time (docs/figures.md).
	// With 400 a service uses about ten MiB more.
	gcPercent = 400
	// memoryShare of the container's memory is the soft limit of the heap. Near it the collector runs as often as needed.
	// The rest is for memory outside the heap.
	memoryShare = 0.85
)

// tuneMemory lets the heap grow within the memory of the container. GOGC and GOMEMLIMIT take precedence.
func tuneMemory(log *slog.Logger) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if _, err := memlimit.Set(memlimit.WithRatio(memoryShare)); err != nil {
		log.Debug("the heap has no limit: the limit of the container cannot be read", "error", err.Error())
	}
}
