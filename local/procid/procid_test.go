package procid

import (
	"errors"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// run starts a program as the leader of a process group. Start returns after the exec, so the process has its final
// program at once; a shell that execs another one would change it later.
func run(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	return cmd
}

func TestAnIDIsOfOneProcessOnly(t *testing.T) {
	cmd := run(t, "sleep", "60")
	id, err := Of(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if !id.Running() {
		t.Fatal("Running() of a running process: got false")
	}
	other := id
	other.Start += "0"
	if other.Running() {
		t.Error("a process with another start time passes for this one")
	}
	if err := other.SignalGroup(syscall.SIGKILL); !errors.Is(err, ErrGone) {
		t.Errorf("SignalGroup of another process: got %v, want ErrGone", err)
	}
	other = id
	other.Exe = "/bin/another-program"
	if other.Running() {
		t.Error("a process with another program passes for this one")
	}
	if err := id.SignalGroup(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	// Before Wait it is a zombie, which counts as ended.
	eventually(t, func() bool { return !id.Running() })
	_ = cmd.Wait()
	if _, err := Of(cmd.Process.Pid); !errors.Is(err, ErrGone) {
		t.Errorf("Of an ended process: got %v, want ErrGone", err)
	}
}

func TestKillTreeReachesDescendantsInOtherProcessGroups(t *testing.T) {
	if _, err := exec.LookPath("setsid"); err != nil {
		t.Skip("no setsid on this machine")
	}
	cmd := run(t, "/bin/sh", "-c", "setsid sleep 60 & wait")
	var tree []int
	eventually(t, func() bool { tree = Tree(cmd.Process.Pid); return len(tree) >= 2 })
	child, err := Of(tree[len(tree)-1])
	if err != nil {
		t.Fatal(err)
	}
	id, err := Of(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := id.KillTree(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	eventually(t, func() bool { return !child.Running() })
}

func TestMemoryOfARunningProcessIsNotZero(t *testing.T) {
	cmd := run(t, "sleep", "60")
	eventually(t, func() bool { return Memory(cmd.Process.Pid) > 0 })
}

func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("did not happen within 10 s")
		}
	}
}
