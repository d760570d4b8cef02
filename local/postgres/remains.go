// What is ended of a killed server.

package postgres

import (
	"context"
	"fmt"
	"hash/fnv"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	gopsutil "github.com/shirou/gopsutil/v4/process"
)

// clusterName marks the processes of one cluster. Postgres shows cluster_name in the title of each process, which any user
// may read. Their working folder would identify them too, but root in a container may not read it.
func clusterName(dir string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(dir))
	return fmt.Sprintf("taskwire-%016x", h.Sum64())
}

type process struct {
	pid        int
	postmaster bool
}

// processes lists the living processes of the cluster in dir.
func processes(dir string) []process {
	var found []process
	name := clusterName(dir)
	for pid, title := range titles() {
		if pid == os.Getpid() || !strings.Contains(title, name) {
			continue
		}
		switch {
		case strings.HasPrefix(title, "postgres: "+name): // "postgres: NAME: checkpointer"
			found = append(found, process{pid: pid})
		case strings.Contains(title, "cluster_name="+name) && strings.Contains(title, "postgres"):
			found = append(found, process{pid: pid, postmaster: true})
		}
	}
	return found
}

// titles returns the command line of every process that can be seen, arguments separated by spaces. It is empty for a
// process that is ending.
func titles() map[int]string {
	all := map[int]string{}
	pids, err := gopsutil.Pids()
	if err != nil {
		return all
	}
	for _, pid := range pids {
		if title, err := (&gopsutil.Process{Pid: pid}).Cmdline(); err == nil {
			all[int(pid)] = title
		}
	}
	return all
}

// How long each way to end the remains may take. A fast shutdown writes a checkpoint. Backends without a postmaster end
// within milliseconds, unless they are in the middle of a long computation.
const (
	fastPatience   = 10 * time.Second
	orphanPatience = time.Second
	quitPatience   = 3 * time.Second
	killPatience   = 5 * time.Second
	remainsPoll    = 20 * time.Millisecond
)

// endRemains ends the processes that a killed predecessor left on the cluster. The caller holds the data folder's lock, so
// they belong to no running supervisor.
func endRemains(ctx context.Context, dir string, progress func(string, ...any)) error {
	left := processes(dir)
	if len(left) == 0 {
		return nil
	}
	steps := []struct {
		sig      syscall.Signal
		only     bool // signal the postmaster alone
		patience time.Duration
	}{
		{syscall.SIGINT, true, fastPatience},
		{syscall.SIGQUIT, false, quitPatience},
		{syscall.SIGKILL, false, killPatience},
	}
	if !slices.ContainsFunc(left, func(p process) bool { return p.postmaster }) {
		steps[0].sig, steps[0].patience = 0, orphanPatience
	} else {
		progress("stopping a Postgres server that an earlier run left")
	}
	for _, s := range steps {
		for _, p := range left {
			if s.sig != 0 && (p.postmaster || !s.only) {
				_ = syscall.Kill(p.pid, s.sig)
			}
		}
		for deadline := time.Now().Add(s.patience); time.Now().Before(deadline); {
			if left = processes(dir); len(left) == 0 {
				return nil
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(remainsPoll):
			}
		}
	}
	return fmt.Errorf("the processes of an earlier server do not end: %v", left)
}
