package service

import (
	"log/slog"
	"os"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

const (
	// gcPercent: what a service keeps is a few MiB, so at Go's own 100 the collector begins anew after a few MiB of garbage,
	// many times a second under load, which was a seventh of the task API's CPU time (docs/figures.md). With 400 a service
	// uses some ten MiB more.
	gcPercent = 400
	// memoryShare of the container's memory is the heap's soft limit: before it is reached the collector runs as often as it
	// must. The rest is for what is not the heap.
	memoryShare = 0.85
)

// tuneMemory lets the heap grow where there is room. GOGC and GOMEMLIMIT are respected.
func tuneMemory(log *slog.Logger) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if _, err := memlimit.Set(memlimit.WithRatio(memoryShare)); err != nil {
		log.Debug("the heap has no limit: that of the container cannot be read", "error", err.Error())
	}
}
