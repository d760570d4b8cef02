// Which processes of an earlier run are ended.

package runstate

import (
	"errors"
	"fmt"
	"time"

	"github.com/taskwire/taskwire/local/procid"
)

const (
	// orphanGrace is how long a process that lost its supervisor gets to end when it is asked. Every part survives kill -9,
	// but a clean end saves Postgres and the broker a recovery.
	orphanGrace = 3 * time.Second
	// orphanGone bounds the wait for the end of a killed process.
	orphanGone = 5 * time.Second
	orphanPoll = 10 * time.Millisecond
)

// EndOrphans ends the processes that an earlier run on the data folder left and returns the names of those parts. The caller
// holds the data folder, so no supervisor watches them any more. A process is ended only if its pid, its start time and its
// program are the recorded ones.
func EndOrphans(data string) ([]string, error) {
	s, err := Load(data)
	if err != nil || s == nil {
		return nil, err
	}
	var left []Part
	var names []string
	for _, p := range s.Parts {
		if p.PID != 0 && p.Running() {
			left, names = append(left, p), append(names, p.Name)
		}
	}
	for _, p := range left {
		if err := p.SignalGroup(p.Stop); err != nil && !errors.Is(err, procid.ErrGone) {
			return names, fmt.Errorf("end %s (pid %d), left by an earlier run: %w", p.Name, p.PID, err)
		}
	}
	if left = await(left, orphanGrace); len(left) > 0 {
		for _, p := range left {
			if err := p.KillTree(); err != nil && !errors.Is(err, procid.ErrGone) {
				return names, fmt.Errorf("kill %s (pid %d), left by an earlier run: %w", p.Name, p.PID, err)
			}
		}
		if left = await(left, orphanGone); len(left) > 0 {
			return names, fmt.Errorf("%s (pid %d), left by an earlier run, does not end", left[0].Name, left[0].PID)
		}
	}
	return names, Remove(data)
}

// await waits until the parts have ended and returns those that have not.
func await(parts []Part, limit time.Duration) []Part {
	for deadline := time.Now().Add(limit); ; time.Sleep(orphanPoll) {
		var left []Part
		for _, p := range parts {
			if p.Running() {
				left = append(left, p)
			}
		}
		if len(left) == 0 || time.Now().After(deadline) {
			return left
		}
		parts = left
	}
}
