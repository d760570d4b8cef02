package supervise

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/taskwire/taskwire/local/procid"
	"github.com/taskwire/taskwire/local/runstate"
)

// superviseIn is the supervisor that the tests below kill. Its two parts ignore the signal that asks them to end, so the
// kernel's Pdeathsig does not do the work under test. With a file "hang" in the folder it never finishes recording.
func superviseIn(dir string) {
	_, err := os.Stat(filepath.Join(dir, "hang"))
	hang := err == nil
	s := New(Config{Record: func(all []Status) error {
		if hang {
			fmt.Println("recording")
			select {}
		}
		state := runstate.State{}
		for _, st := range all {
			state.Parts = append(state.Parts, runstate.Part{Name: st.Name, ID: st.ID, Stop: st.Stop})
		}
		return runstate.Save(dir, state)
	}})
	for _, name := range []string{"a", "b"} {
		s.Add(sh(name, "trap '' TERM PIPE; echo > "+dir+"/"+name+"; while :; do sleep 0.05; done")).Start()
	}
	select {}
}

func startSupervisor(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), helperEnv+"="+dir)
	cmd.Stdout = &bytes.Buffer{}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd
}

func TestTheNextRunEndsWhatAKilledSupervisorLeft(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "run"), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := startSupervisor(t, dir)
	for _, name := range []string{"a", "b"} {
		eventually(t, name+" runs", func() bool { _, err := os.Stat(filepath.Join(dir, name)); return err == nil })
	}
	tree := procid.Tree(cmd.Process.Pid)[1:]
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()

	names, err := runstate.EndOrphans(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(names) != 2 {
		t.Errorf("EndOrphans: got %v, want both parts", names)
	}
	for _, pid := range tree {
		eventually(t, "pid "+strconv.Itoa(pid)+" has ended", func() bool { return !runsHere(pid, dir) })
	}
}

// TestASupervisorKilledBeforeTheRecordLeavesNothing tests the moment in which the process exists but is not recorded.
// The process waits at its gate, and the gate's other end closes with the supervisor.
func TestASupervisorKilledBeforeTheRecordLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "hang"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := startSupervisor(t, dir)
	var tree []int
	eventually(t, "both gates", func() bool { tree = procid.Tree(cmd.Process.Pid)[1:]; return len(tree) >= 2 })
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	for _, pid := range tree {
		eventually(t, "pid "+strconv.Itoa(pid)+" has ended", func() bool { return !runsHere(pid, dir) })
	}
	for _, name := range []string{"a", "b"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			t.Errorf("part %s ran without a record", name)
		}
	}
}

// runsHere reports whether pid is still one of the test's processes.
func runsHere(pid int, dir string) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	id, err := procid.Of(pid)
	if err != nil || !id.Running() {
		return false
	}
	args, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return strings.Contains(string(args), dir)
}
