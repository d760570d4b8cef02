package cli

import (
	"slices"
	"strings"
	"syscall"
	"testing"
)

// A killed `taskwire up` leaves processes behind. These tests check that they are found and ended.

func TestTheNextUpCleansUpAfterAKilledOne(t *testing.T) {
	long(t)
	t.Parallel()
	root := newRepo(t)
	cmd, _ := startUp(t, root)
	r := status(t, root)
	all := processes(t, r)
	for _, p := range r.Parts { // suspended ones do not end when their supervisor dies
		if slices.Contains([]string{"postgres", "audit", "audit-daprd", "gateway"}, p.Name) {
			if err := syscall.Kill(p.PID, syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if s := status(t, root); s.Running {
		t.Errorf("status after kill -9: got %+v", s)
	}
	_, _ = startUp(t, root)
	noneLeft(t, all)
	if now := status(t, root); !now.Ready || now.PID == r.PID {
		t.Errorf("status of the next up: got %+v", now)
	}
}

func TestDownEndsWhatAKilledUpLeft(t *testing.T) {
	long(t)
	t.Parallel()
	root := newRepo(t)
	cmd, _ := startUp(t, root)
	r := status(t, root)
	all := processes(t, r)
	for _, p := range r.Parts {
		if err := syscall.Kill(p.PID, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if out := mustRun(t, root, "down"); !strings.Contains(out, "Ended what a killed run left behind") {
		t.Errorf("down: got %q", out)
	}
	noneLeft(t, all)
}
