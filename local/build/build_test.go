package build

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// module makes a module with one program. require adds a requirement to its go.mod.
func module(t *testing.T, source, require string) string {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "go.mod"), "module example.com/m\n\ngo 1.26\n"+require, 0o644)
	write(t, filepath.Join(dir, "main.go"), source, 0o644)
	return dir
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

func newJob(dir, out string, log *bytes.Buffer) job {
	return job{cfg: Config{Out: log}, what: "m", dir: dir, out: out, pkgs: []string{"."}, env: []string{"GOWORK=off", "CGO_ENABLED=0"}}
}

func TestAnUnreachableRegistryIsReportedInOneLine(t *testing.T) {
	t.Setenv("GOPROXY", "http://127.0.0.1:1")
	t.Setenv("GOMODCACHE", t.TempDir())
	t.Setenv("GONOSUMDB", "*")
	t.Setenv("GOFLAGS", "-modcacherw -mod=mod")
	dir := module(t, "package main\n\nimport _ \"example.org/away\"\n\nfunc main() {}\n", "\nrequire example.org/away v1.0.0\n")
	err := newJob(dir, filepath.Join(t.TempDir(), "m"), &bytes.Buffer{}).run(t.Context())
	if !errors.Is(err, ErrRegistry) || !strings.Contains(err.Error(), "GOPROXY") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v, want one line that names GOPROXY", err)
	}
}

func TestACompileErrorIsShownInGosWords(t *testing.T) {
	dir := module(t, "package main\n\nfunc main() { undefinedThing() }\n", "")
	out := filepath.Join(t.TempDir(), "m")
	err := newJob(dir, out, &bytes.Buffer{}).run(t.Context())
	if err == nil || errors.Is(err, ErrRegistry) || !strings.Contains(err.Error(), "undefined: undefinedThing") {
		t.Errorf("got %v, want Go's message", err)
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a failed build left a program")
	}
}

func TestACancelledBuildReturnsTheContextsError(t *testing.T) {
	dir := module(t, "package main\n\nfunc main() {}\n", "")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := newJob(dir, filepath.Join(t.TempDir(), "m"), &bytes.Buffer{}).run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestAnInstalledDaprdIsUsedWhenItIsNewEnough(t *testing.T) {
	bin := t.TempDir()
	daprd := filepath.Join(t.TempDir(), "daprd")
	for version, ok := range map[string]bool{"1.18.0": true, "v1.18.5": true, "1.19.0-rc.1": true, "2.0.0": true, "1.17.9": false, "0.99.0": false, "edge": false} {
		write(t, daprd, "#!/bin/sh\necho "+version+"\n", 0o755)
		err := Daprd(t.Context(), Config{BinDir: bin, Daprd: daprd})
		if (err == nil) != ok {
			t.Errorf("daprd %s: got %v, want ok %v", version, err, ok)
		}
		if err != nil && !strings.Contains(err.Error(), oldestDaprd) {
			t.Errorf("daprd %s: %v does not say which is needed", version, err)
		}
	}
	if target, err := os.Readlink(filepath.Join(bin, "daprd")); err != nil || target != daprd {
		t.Errorf("link: got %q, %v", target, err)
	}
	if err := Daprd(t.Context(), Config{BinDir: bin, Daprd: filepath.Join(bin, "nothing")}); err == nil {
		t.Error("a daprd that is not there: got nil")
	}
}

func TestTwoBuildsIntoOneFolderWaitForEachOther(t *testing.T) {
	bin := t.TempDir()
	var mu sync.Mutex
	inside := 0
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			unlock, err := lock(t.Context(), Config{BinDir: bin})
			if err != nil {
				t.Error(err)
				return
			}
			defer unlock()
			if !mu.TryLock() {
				t.Error("two hold the lock")
				return
			}
			inside++
			mu.Unlock()
		})
	}
	wg.Wait()
	if inside != 8 {
		t.Errorf("%d of 8 got the lock", inside)
	}
}

func TestDaprdsVersionIsTheOneInItsModule(t *testing.T) {
	mod, err := os.ReadFile("../../tools/daprd/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(mod, []byte("github.com/dapr/dapr v"+daprVersion+"\n")) {
		t.Errorf("tools/daprd/go.mod does not ask for dapr v%s", daprVersion)
	}
}

func TestPackagesAreDistinguishedFromMessages(t *testing.T) {
	for line, want := range map[string]bool{
		"github.com/gin-gonic/gin": true, "internal/abi": true, "# example.com/m": false, "./main.go:3:15: undefined: x": false, "": false,
	} {
		if got := isPackage(line); got != want {
			t.Errorf("isPackage(%q): got %v", line, got)
		}
	}
}

func TestAProgramIsInstalledAtomicallyAndOnlyIfChanged(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	write(t, from, "one", 0o644)
	inode := func() os.FileInfo {
		t.Helper()
		if err := install(from, to); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(to)
		if err != nil || info.Mode().Perm() != 0o755 {
			t.Fatalf("got %v, %v, want mode 0755", info, err)
		}
		return info
	}
	first := inode()
	if again := inode(); !os.SameFile(first, again) {
		t.Error("a program that is current was installed again")
	}
	running, err := os.Open(to)
	if err != nil {
		t.Fatal(err)
	}
	defer running.Close()
	write(t, from, "another", 0o644)
	if os.SameFile(first, inode()) {
		t.Error("the file of a running program was written to")
	}
	if raw, err := os.ReadFile(to); err != nil || string(raw) != "another" {
		t.Errorf("got %q, %v", raw, err)
	}
}

// A sentry of a release answers --version with an error, as it has no such flag.
func TestOnlyASentryOfOurOwnIsUsedNextToAnInstalledDaprd(t *testing.T) {
	installed := t.TempDir()
	write(t, filepath.Join(installed, "daprd"), "#!/bin/sh\necho "+daprVersion+"\n", 0o755)
	for said, used := range map[string]bool{"echo " + daprVersion + buildStamp: true, "echo " + daprVersion: false, "exit 2": false} {
		bin, root := t.TempDir(), t.TempDir()
		if err := os.MkdirAll(filepath.Join(root, "tools", "daprd"), 0o755); err != nil {
			t.Fatal(err)
		}
		beside := filepath.Join(installed, "sentry")
		write(t, beside, "#!/bin/sh\n"+said+"\n", 0o755)
		err := Sentry(t.Context(), Config{Root: root, BinDir: bin, Daprd: filepath.Join(installed, "daprd")})
		target, _ := os.Readlink(filepath.Join(bin, "sentry"))
		if used != (target == beside) || used != (err == nil) {
			t.Errorf("sentry that does %q: link to %q, %v, want used %t", said, target, err, used)
		}
	}
}
