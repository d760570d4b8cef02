package buildinfo

import (
	"runtime"
	"testing"
)

func TestABuildWithoutAVersionIsDev(t *testing.T) {
	got := Read()
	if got.Version != "dev" || got.Commit == "" || got.Go != runtime.Version() {
		t.Errorf("got %+v, want version dev, some commit, %s", got, runtime.Version())
	}
}

func TestTheVersionOfAReleaseIsThatOfTheLinker(t *testing.T) {
	version, commit = "1.2.3", "0123abc"
	defer func() { version, commit = "dev", "" }()
	if got, want := Read().String(), "1.2.3 (commit 0123abc, "+runtime.Version()+")"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
