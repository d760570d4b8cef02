package postgres

import (
	"context"
	"fmt"
	"hash/fnv"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// clusterName marks the processes of one cluster: Postgres shows cluster_name in the title of each of them, which any
// user may read. (Their working folder would say it too, but reading that needs more rights than root has in a
// container.)
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

// titles answers the command line of every process that can be seen, arguments parted by spaces.
func titles() map[int]string {
	all := map[int]string{}
	if runtime.GOOS == "linux" {
		files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil || len(text) == 0 { // it has ended meanwhile, or is a zombie
				continue
			}
			if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(f))); err == nil {
				all[pid] = strings.ReplaceAll(string(text), "\x00", " ")
			}
		}
		return all
	}
	out, _ := exec.Command("ps", "-axww", "-o", "pid=,command=").Output() //nolint:noctx // takes milliseconds
	for line := range strings.Lines(string(out)) {
		id, title, _ := strings.Cut(strings.TrimSpace(line), " ")
		if pid, err := strconv.Atoi(id); err == nil {
			all[pid] = strings.TrimSpace(title)
		}
	}
	return all
}

// The patience with each way to end what is left. A fast shutdown writes a checkpoint; backends without a postmaster
// notice within milliseconds unless they are in the middle of a long computation.
const (
	fastPatience   = 10 * time.Second
	orphanPatience = time.Second
	quitPatience   = 3 * time.Second
	killPatience   = 5 * time.Second
	remainsPoll    = 20 * time.Millisecond
)

// endRemains ends the processes that a killed predecessor left on the cluster. The caller holds the data folder's lock,
// so nobody living owns them.
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
	if !hasPostmaster(left) {
		steps[0].sig, steps[0].patience = 0, orphanPatience
	} else {
		progress("stopping a Postgres server that was left running")
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
	return fmt.Errorf("processes of a former server do not end: %v", left)
}

func hasPostmaster(all []process) bool {
	for _, p := range all {
		if p.postmaster {
			return true
		}
	}
	return false
}
