package secretfile

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/taskwire/taskwire/pkg/platform/auth"
)

func TestSecretsAreMadeOnceAndOnlyTheOwnerCanReadThem(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "secrets")
	first, err := Open(dir, []string{"tasks_app"}, []string{"audit"})
	if err != nil {
		t.Fatal(err)
	}
	if err := first.WriteApp("audit", map[string]map[string]string{"audit": {"k": "v"}}); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, baseFile): 0o600, first.AppFile("audit"): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: got %v, %v, want %o", path, info.Mode(), err, want)
		}
	}
	second, err := Open(dir, []string{"tasks_app", "audit_app"}, []string{"audit"})
	if err != nil {
		t.Fatal(err)
	}
	if second.Passwords["audit_app"] == "" {
		t.Error("a role that came later has no password")
	}
	delete(second.Passwords, "audit_app")
	if !reflect.DeepEqual(first, second) {
		t.Error("a second start changed a secret")
	}
	if _, err := auth.NewSigner(first.TokenSigningKey); err != nil {
		t.Errorf("token key: %v", err)
	}
	if s, err := note.NewSigner(first.CheckpointSigningKey); err != nil || s.Name() != auditOrigin {
		t.Errorf("checkpoint key: %v", err)
	}
}

func TestAFileThatOthersCanReadIsRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "secrets")
	if _, err := Open(dir, nil, nil); err != nil {
		t.Fatal(err)
	}
	for path, good := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, baseFile): 0o600} {
		if err := os.Chmod(path, good|0o040); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir, nil, nil); err == nil || !strings.Contains(err.Error(), "chmod go= "+path) {
			t.Errorf("%s readable by the group: got %v", path, err)
		}
		if err := os.Chmod(path, good); err != nil {
			t.Fatal(err)
		}
	}
}

func TestADamagedFileIsNamedAndKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "secrets")
	if _, err := Open(dir, nil, nil); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, baseFile)
	if err := os.WriteFile(path, []byte("{half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, nil, nil); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v, want an error that names %s", err, path)
	}
	if raw, _ := os.ReadFile(path); string(raw) != "{half" {
		t.Errorf("the file became %q", raw)
	}
}
