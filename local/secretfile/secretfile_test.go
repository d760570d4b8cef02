package secretfile

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func address(host string) func(role, password string) (string, error) {
	return func(role, password string) (string, error) {
		return "postgres://" + role + ":" + password + "@" + host + "/db", nil
	}
}

func made(t *testing.T) (dir string, set *Set) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "secrets")
	set, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := set.Write(address("127.0.0.1:1")); err != nil {
		t.Fatal(err)
	}
	return dir, set
}

func read(t *testing.T, path string) map[string]map[string]string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var file map[string]map[string]string
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestSecretsStayAndOnlyAddressesFollowTheServer(t *testing.T) {
	dir, first := made(t)
	if !first.Made {
		t.Error("Made: got false for new secrets")
	}
	before := read(t, Path(dir, "task-api"))["task-api"]
	second, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if second.Made {
		t.Error("Made: got true for secrets that were there")
	}
	if err := second.Write(address("127.0.0.1:2")); err != nil {
		t.Fatal(err)
	}
	after := read(t, Path(dir, "task-api"))["task-api"]
	for _, key := range []string{"token-signing-key", "cursor-key"} {
		if before[key] == "" || before[key] != after[key] {
			t.Errorf("%s changed", key)
		}
	}
	if want := strings.Replace(before["database-url"], ":1/", ":2/", 1); after["database-url"] != want {
		t.Error("database-url: only the port should have changed")
	}
}

func TestEachFileHoldsItsAppsSecretsWithMode0600(t *testing.T) {
	dir, set := made(t)
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("folder: got %v, %v, want mode 0700", info.Mode(), err)
	}
	seen := map[string]string{}
	for app, keys := range map[string]map[string][]string{
		"task-api":       {"task-api": {"database-url", "token-signing-key", "cursor-key"}},
		"audit":          {"audit": {"database-url"}},
		"audit-signer":   {"audit-signer": {"checkpoint-signing-key"}},
		"notification":   {"notification": {"database-url"}},
		"recurring-task": {"recurring-task": {}, "statestore": {"connection-string"}},
		"websocket":      {"websocket": {}},

		"task-api-migrate":     {"task-api-migrate": {"migrate-url"}},
		"audit-migrate":        {"audit-migrate": {"migrate-url"}},
		"notification-migrate": {"notification-migrate": {"migrate-url"}},
	} {
		info, err := os.Stat(Path(dir, app))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: got %v, %v, want mode 0600", app, info, err)
		}
		file := read(t, Path(dir, app))
		if len(file) != len(keys) {
			t.Errorf("%s: got %d secrets, want %d", app, len(file), len(keys))
		}
		for secret, want := range keys {
			if len(file[secret]) != len(want) {
				t.Errorf("%s: secret %s has %d keys, want %v", app, secret, len(file[secret]), want)
			}
			for _, key := range want {
				v := file[secret][key]
				if v == "" || seen[v] != "" {
					t.Errorf("%s: %s is empty or that of %s", app, key, seen[v])
				}
				seen[v] = app
			}
		}
	}
	if p, err := set.Password("dapr_state"); err != nil || len(p) != 2*passwordBytes {
		t.Errorf("password of dapr_state: got %d characters, %v", len(p), err)
	}
	if _, err := set.Password("nobody"); err == nil {
		t.Error("a role that no app has: got a password")
	}
}

func TestAFileThatOthersMayReadIsRefused(t *testing.T) {
	dir, _ := made(t)
	for path, mode := range map[string]os.FileMode{Path(dir, "audit"): 0o640, Path(dir, "task-api"): 0o604, dir: 0o750} {
		before, _ := os.Stat(path)
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "chmod") {
			t.Errorf("%s with mode %o: got %v, want an error that names it and says what to do", path, mode, err)
		}
		if err := os.Chmod(path, before.Mode().Perm()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestADamagedFileIsNamedKeptAndNotQuoted(t *testing.T) {
	for name, tc := range map[string]struct{ app, content string }{
		"not JSON":           {"audit", `{"audit":{"database-url":"postgres://u:S3CRET@h/d"`},
		"another form":       {"audit", `{"audit":"S3CRET"}`},
		"no address":         {"audit", `{"audit":{"database-url":"S3CRET"}}`},
		"no password":        {"audit-migrate", `{"audit-migrate":{"migrate-url":"postgres://S3CRET@h/d"}}`},
		"a bad signing key":  {"task-api", `{"task-api":{"token-signing-key":"S3CRET"}}`},
		"a short cursor key": {"task-api", `{"task-api":{"cursor-key":"abcd"}}`},
		"a bad audit key":    {"audit-signer", `{"audit-signer":{"checkpoint-signing-key":"PRIVATE+KEY+S3CRET"}}`},
		"no state store":     {"recurring-task", `{"statestore":{"connection-string":"host=S3CRET"}}`},
		"empty":              {"websocket", ``},
	} {
		t.Run(name, func(t *testing.T) {
			dir, _ := made(t)
			path := Path(dir, tc.app)
			if err := os.WriteFile(path, []byte(tc.content), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Load(dir)
			if err == nil || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "S3CRET") {
				t.Errorf("Load: got %v, want an error that names the file and does not quote it", err)
			}
			if raw, err := os.ReadFile(path); err != nil || string(raw) != tc.content {
				t.Errorf("the file was changed: %q, %v", raw, err)
			}
		})
	}
}

// A file of an earlier version has the owner's address among the secrets of the app.
func TestTheOwnersAddressLeavesTheSecretsOfItsApp(t *testing.T) {
	dir, _ := made(t)
	owner := read(t, Path(dir, "audit-migrate"))["audit-migrate"]["migrate-url"]
	earlier := read(t, Path(dir, "audit"))
	earlier["audit"]["migrate-url"] = owner
	raw, err := json.Marshal(earlier)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(Path(dir, "audit"), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(Path(dir, "audit-migrate")); err != nil {
		t.Fatal(err)
	}
	for range 2 { // a second start finds it in its new place
		set, err := Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		if set.Made {
			t.Error("Made: got true, want the owner to keep its password")
		}
		if err := set.Write(address("127.0.0.1:1")); err != nil {
			t.Fatal(err)
		}
		if got := read(t, Path(dir, "audit-migrate"))["audit-migrate"]["migrate-url"]; got != owner {
			t.Error("the owner's address changed")
		}
		if got := read(t, Path(dir, "audit"))["audit"]["migrate-url"]; got != "" {
			t.Error("the owner's address is still among the secrets of the app")
		}
	}
}

func TestADamagedAddressOfTheOwnerNamesItsOldFile(t *testing.T) {
	dir, _ := made(t)
	if err := os.Remove(Path(dir, "audit-migrate")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(Path(dir, "audit"), []byte(`{"audit":{"migrate-url":"S3CRET"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Load(dir)
	if err == nil || !strings.Contains(err.Error(), Path(dir, "audit")) || strings.Contains(err.Error(), "S3CRET") {
		t.Errorf("Load: got %v, want an error that names %s and does not quote it", err, Path(dir, "audit"))
	}
}

func TestTheAuditKeyMovesToTheSignerAndStays(t *testing.T) {
	dir, set := made(t)
	if !set.NewLog() {
		t.Error("NewLog: got false for a new key")
	}
	key := read(t, Path(dir, "audit-signer"))["audit-signer"]["checkpoint-signing-key"]
	// As an earlier version left the folder: the key is in the file of the audit service.
	audit := read(t, Path(dir, "audit"))
	audit["audit"]["checkpoint-signing-key"] = key
	raw, err := json.Marshal(audit)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(Path(dir, "audit"), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(Path(dir, "audit-signer")); err != nil {
		t.Fatal(err)
	}
	moved, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !moved.NewLog() {
		t.Error("NewLog: got false for a key that moves")
	}
	if err := moved.Write(address("127.0.0.1:1")); err != nil {
		t.Fatal(err)
	}
	if got := read(t, Path(dir, "audit-signer"))["audit-signer"]["checkpoint-signing-key"]; got != key {
		t.Error("the log has another key")
	}
	if _, there := read(t, Path(dir, "audit"))["audit"]["checkpoint-signing-key"]; there {
		t.Error("the audit service has the key still")
	}
	again, err := Load(dir)
	if err != nil || again.NewLog() {
		t.Errorf("NewLog: got %v, %v for a key that stays", again.NewLog(), err)
	}
}
