package files

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/taskwire/taskwire/pkg/platform/auditlog"
	"github.com/taskwire/taskwire/services/audit-signer/internal/domain"
)

// key signs checkpoints of any size.
type key struct {
	note.Signer
	public string
}

func newKey(t *testing.T) key {
	t.Helper()
	secret, public, err := note.GenerateKey(rand.Reader, "taskwire-audit")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	return key{signer, public}
}

func (k key) state(t *testing.T, size int64) domain.State {
	t.Helper()
	signed, err := auditlog.Checkpoint{Origin: "taskwire-audit", Size: size}.Sign(k)
	if err != nil {
		t.Fatal(err)
	}
	return domain.State{Size: size, Signed: signed}
}

func open(t *testing.T, dir string, k key) *Folder {
	t.Helper()
	f, err := Open(dir, k.public)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func history(t *testing.T, f *Folder) *History {
	t.Helper()
	h, err := f.OpenHistory("", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestOneSignerHasTheFolder(t *testing.T) {
	dir, k := t.TempDir(), newKey(t)
	f := open(t, dir, k)
	if _, err := Open(dir, k.public); err == nil || !strings.Contains(err.Error(), "exactly one") {
		t.Errorf("a second signer: got %v, want a refusal", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, dir, k)
}

func TestTheStateStaysAndOnlyItsUserReadsIt(t *testing.T) {
	dir, k := filepath.Join(t.TempDir(), "signer"), newKey(t)
	f := open(t, dir, k)
	if _, err := f.Load(); !errors.Is(err, domain.ErrNotBegun) {
		t.Errorf("Load without a state: got %v, want ErrNotBegun", err)
	}
	want := k.state(t, 7)
	if err := f.Save(want); err != nil {
		t.Fatal(err)
	}
	if got, err := f.Load(); err != nil || string(got.Signed) != string(want.Signed) {
		t.Errorf("Load: got %q, %v, want %q", got.Signed, err, want.Signed)
	}
	if err := history(t, f).Add(want); err != nil {
		t.Fatal(err)
	}
	names, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if info, err := name.Info(); err != nil || info.Mode().Perm() != private {
			t.Errorf("%s: got mode %v, want 0600", name.Name(), info.Mode())
		}
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder: got mode %v, want 0700", info.Mode())
	}
}

func TestADamagedStateIsNamedAndKept(t *testing.T) {
	dir, k := t.TempDir(), newKey(t)
	path := filepath.Join(dir, stateFile)
	if err := os.WriteFile(path, []byte("{"), private); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, dir, k).Load(); err == nil || errors.Is(err, domain.ErrNotBegun) || !strings.Contains(err.Error(), path) {
		t.Errorf("Load: got %v, want an error that names the file", err)
	}
	if raw, err := os.ReadFile(path); err != nil || string(raw) != "{" {
		t.Errorf("the file was changed: %q, %v", raw, err)
	}
}

func TestAnOrderSaysWhereTheSignerBegins(t *testing.T) {
	k, other := newKey(t), newKey(t)
	genuine := string(k.state(t, 7).Signed)
	for _, c := range []struct {
		name  string
		order Order
		want  string
		begun bool
		fails bool // the order is not given
		stops bool // the signer does not carry it out
	}{
		{name: "the empty log", order: Order{Key: k.public}},
		{name: "a checkpoint", order: Order{Key: k.public, Checkpoint: genuine}, want: genuine},
		{name: "a checkpoint of another key", order: Order{Key: k.public, Checkpoint: string(other.state(t, 7).Signed)}, fails: true},
		{name: "another log", order: Order{Key: other.public}, stops: true},
		{name: "over a known one", order: Order{Key: k.public}, begun: true, fails: true},
		{name: "in place of a known one", order: Order{Key: k.public, Checkpoint: genuine, Replace: true}, begun: true, want: genuine},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			f := open(t, dir, k)
			if c.begun {
				if err := f.Save(k.state(t, 9)); err != nil {
					t.Fatal(err)
				}
			}
			if err := Begin(dir, c.order); (err != nil) != c.fails {
				t.Fatalf("Begin: got %v, want a failure: %v", err, c.fails)
			}
			if c.fails {
				return
			}
			got, err := f.Load() // as a running signer does with the next request
			if c.stops {
				if err == nil {
					t.Error("Load carried out an order for another key")
				}
				return
			}
			if err != nil || string(got.Signed) != c.want {
				t.Errorf("Load: got %q, %v, want %q", got.Signed, err, c.want)
			}
			if _, err := os.Stat(filepath.Join(dir, beginFile)); err == nil {
				t.Error("the order is there still")
			}
		})
	}
}

func TestACrashLosesNoCheckpointOfTheHistory(t *testing.T) {
	dir, k := t.TempDir(), newKey(t)
	f := open(t, dir, k)
	first, second := k.state(t, 1), k.state(t, 2)
	if err := errors.Join(f.Save(first), history(t, f).Add(first)); err != nil {
		t.Fatal(err)
	}
	// The second one is on disk as the state, and its line was cut.
	if err := f.Save(second); err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(filepath.Join(dir, HistoryFile), os.O_APPEND|os.O_WRONLY, private)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(`{"size":2,"root":"AAA`); err != nil {
		t.Fatal(err)
	}
	file.Close()
	for range 2 { // at a second start nothing is added
		h := history(t, f)
		lines, ends, err := h.Unpublished(10)
		if err != nil || len(lines) != 2 {
			t.Fatalf("Unpublished: got %q, %v, want two lines", lines, err)
		}
		for i, want := range []domain.State{first, second} {
			var p auditlog.Published
			if err := json.Unmarshal(lines[i], &p); err != nil || p.Size != want.Size || p.Checkpoint != string(want.Signed) {
				t.Errorf("line %d: got %+v, %v", i, p, err)
			}
		}
		if raw, err := os.ReadFile(filepath.Join(dir, HistoryFile)); err != nil || int64(len(raw)) != ends[1] {
			t.Errorf("the file has %d bytes, want %d (%v)", len(raw), ends[1], err)
		}
	}
}

// full is a disk that takes half of a line.
type full struct{ *os.File }

func (f full) Write(p []byte) (int, error) {
	n, err := f.File.Write(p[:len(p)/2])
	return n, errors.Join(err, syscall.ENOSPC)
}

func TestAFullDiskLeavesNoHalfLineInTheHistory(t *testing.T) {
	dir, k := t.TempDir(), newKey(t)
	h := history(t, open(t, dir, k))
	if err := h.Add(k.state(t, 1)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, HistoryFile)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, private)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := appendLine(full{file}, int64(len(before)), before); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("appendLine: got %v, want ENOSPC", err)
	}
	if now, err := os.ReadFile(path); err != nil || string(now) != string(before) {
		t.Errorf("the file: got %q, %v, want %q", now, err, before)
	}
	if err := h.Add(k.state(t, 2)); err != nil { // there is room again
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if all, err := auditlog.OpenCheckpoints(raw, k.public); err != nil || len(all) != 2 {
		t.Errorf("the history: got %+v, %v, want two checkpoints", all, err)
	}
}

func TestThePublishedPositionStays(t *testing.T) {
	dir, k := t.TempDir(), newKey(t)
	f := open(t, dir, k)
	h := history(t, f)
	for size := range int64(5) {
		if err := h.Add(k.state(t, size)); err != nil {
			t.Fatal(err)
		}
	}
	lines, ends, err := h.Unpublished(3)
	if err != nil || len(lines) != 3 {
		t.Fatalf("Unpublished: got %d lines, %v, want 3", len(lines), err)
	}
	if err := h.Published(ends[1]); err != nil {
		t.Fatal(err)
	}
	if lines, _, err = history(t, f).Unpublished(10); err != nil || len(lines) != 3 {
		t.Errorf("after two were sent: got %d lines, %v, want 3", len(lines), err)
	}
	if err := os.Remove(filepath.Join(dir, HistoryFile)); err != nil { // an operator moved it away
		t.Fatal(err)
	}
	h = history(t, f)
	if err := h.Add(k.state(t, 9)); err != nil {
		t.Fatal(err)
	}
	if lines, _, err = h.Unpublished(10); err != nil || len(lines) != 1 {
		t.Errorf("of a new file: got %d lines, %v, want 1", len(lines), err)
	}
}
