package atomicfile

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestWriteSetsTheModeOverAnOldFile(t *testing.T) {
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	path := filepath.Join(t.TempDir(), "f")
	for _, mode := range []os.FileMode{0o644, 0o600, 0o755} {
		if err := Write(path, []byte(mode.String()), mode); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("mode: got %v, %v, want %v", info.Mode(), err, mode)
		}
		if raw, err := os.ReadFile(path); err != nil || string(raw) != mode.String() {
			t.Errorf("content: got %q, %v, want %q", raw, err, mode)
		}
	}
}

func TestASecretIsNeverReadableByOthers(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	dir := t.TempDir()
	path := filepath.Join(dir, "secret")
	file, err := create(path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Cleanup() }()
	info, err := file.Stat()
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode before the content is written: got %v, %v, want 0600", info.Mode(), err)
	}
	if filepath.Dir(file.Name()) != dir {
		t.Errorf("the unfinished file is %s, want it in %s", file.Name(), dir)
	}
}

func TestAFailedWriteLeavesTheOldFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := WriteDurably(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	blocked := filepath.Join(dir, "folder")
	if err := os.MkdirAll(filepath.Join(blocked, "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Write(blocked, []byte("new"), 0o600); err == nil {
		t.Error("Write over a folder that is not empty: got nil")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("files left: got %v, %v, want the two that were there", entries, err)
	}
	if raw, err := os.ReadFile(path); err != nil || string(raw) != "old" {
		t.Errorf("content: got %q, %v, want old", raw, err)
	}
}
