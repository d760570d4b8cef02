package runstate

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/taskwire/taskwire/local/procid"
)

func dataDir(t *testing.T) string {
	t.Helper()
	data := t.TempDir()
	if err := os.Mkdir(filepath.Join(data, "run"), 0o755); err != nil {
		t.Fatal(err)
	}
	return data
}

// child starts a process group of its own and reaps it when it ends.
func child(t *testing.T, script string) procid.ID {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", script)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	id, err := procid.Of(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { _ = cmd.Wait(); close(done) }()
	t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); <-done })
	id.Exe = "" // the shell may become another program
	return id
}

func TestASecondHolderGetsThePidOfTheFirst(t *testing.T) {
	data := dataDir(t)
	lock, err := Acquire(data)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Acquire(data)
	var held *HeldError
	if !errors.As(err, &held) || held.PID != os.Getpid() {
		t.Errorf("second Acquire: got %v, want a HeldError with pid %d", err, os.Getpid())
	}
	if pid, err := Holder(data); err != nil || pid != os.Getpid() {
		t.Errorf("Holder: got %d, %v, want %d", pid, err, os.Getpid())
	}
	if err := lock.Release(); err != nil {
		t.Fatal(err)
	}
	if pid, err := Holder(data); err != nil || pid != 0 {
		t.Errorf("Holder after Release: got %d, %v, want 0", pid, err)
	}
	lock, err = Acquire(data)
	if err != nil {
		t.Fatalf("Acquire after Release: %v", err)
	}
	lock.Release() // the test ends
}

func TestADamagedStateFileIsNamedAndKept(t *testing.T) {
	data := dataDir(t)
	for _, content := range []string{"", "{", `{"version":99}`, `{"version":"1"}`} {
		if err := os.WriteFile(Path(data), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := EndOrphans(data)
		if err == nil || !strings.Contains(err.Error(), Path(data)) {
			t.Errorf("state %q: got %v, want an error that names the file", content, err)
		}
		if raw, err := os.ReadFile(Path(data)); err != nil || string(raw) != content {
			t.Errorf("state %q: the file became %q (%v)", content, raw, err)
		}
	}
}

func TestOrphansAreEndedEvenIfTheyIgnoreSIGTERM(t *testing.T) {
	data := dataDir(t)
	polite := child(t, "exec sleep 60")
	stubborn := child(t, "trap '' TERM; while :; do sleep 1; done")
	bystander := child(t, "exec sleep 60")
	reused := bystander // the pid of a part of an earlier run, now another process
	reused.Start = "an earlier boot"
	err := Save(data, State{Parts: []Part{
		{Name: "polite", ID: polite, Stop: syscall.SIGTERM},
		{Name: "stubborn", ID: stubborn, Stop: syscall.SIGTERM},
		{Name: "ended", ID: reused, Stop: syscall.SIGTERM},
		{Name: "never started"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	names, err := EndOrphans(data)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(names, " "); got != "polite stubborn" {
		t.Errorf("EndOrphans: got %q, want polite and stubborn", got)
	}
	if polite.Running() || stubborn.Running() {
		t.Error("an orphan is still running")
	}
	if !bystander.Running() {
		t.Error("a process that has the pid of an earlier part was ended")
	}
	if s, err := Load(data); s != nil || err != nil {
		t.Errorf("state after the clean-up: got %v, %v, want none", s, err)
	}
}

func TestStateReadsBackAsItWasSaved(t *testing.T) {
	data := dataDir(t)
	self, err := procid.Self()
	if err != nil {
		t.Fatal(err)
	}
	want := State{Supervisor: self, URL: "http://localhost:1", Started: time.Now().UTC(), Parts: []Part{{Name: "a", ID: self, Port: 7, Stop: syscall.SIGINT}}}
	if err := Save(data, want); err != nil {
		t.Fatal(err)
	}
	got, err := Load(data)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Parts) != 1 || got.Parts[0] != want.Parts[0] || got.Supervisor != want.Supervisor || got.URL != want.URL {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
