package secrets

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/taskwire/taskwire/pkg/platform/config"
	"github.com/taskwire/taskwire/pkg/platform/dapr"
	"github.com/taskwire/taskwire/testkit/sidecar"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// hidden is part of every value and must not appear in errors and logs.
const hidden = "hunter2"

type getter func(ctx context.Context, store, name string) (map[string]string, error)

func (g getter) GetSecret(ctx context.Context, store, name string) (map[string]string, error) {
	return g(ctx, store, name)
}

func fails(context.Context, string, string) (map[string]string, error) {
	return nil, errors.New("connection refused")
}

func writeFile(t *testing.T, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secrets.json")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func base(file string) config.Base {
	return config.Base{SecretStore: "kubernetes-secrets", SecretsFile: file}
}

func TestTheStoreIsReadFirst(t *testing.T) {
	want := map[string]string{"database-url": hidden}
	var log bytes.Buffer
	got, err := Load(t.Context(), getter(func(_ context.Context, store, name string) (map[string]string, error) {
		if store != "kubernetes-secrets" || name != "audit" {
			t.Errorf("asked %s for %s", store, name)
		}
		return want, nil
	}), base(writeFile(t, `{"audit":{"database-url":"old"}}`)), "audit", slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, Secrets(want))
	}
	if log.Len() > 0 {
		t.Errorf("got log %s, want none", log.String())
	}
}

func TestASecretWithoutKeysIsASecret(t *testing.T) {
	empty := getter(func(context.Context, string, string) (map[string]string, error) { return nil, nil })
	if got, err := Load(t.Context(), empty, base(""), "websocket", nil); err != nil || got == nil || len(got) != 0 {
		t.Errorf("from the store: got %#v, %v", got, err)
	}
	synctest.Test(t, func(t *testing.T) {
		if got, err := Load(t.Context(), getter(fails), base(writeFile(t, `{"websocket":{}}`)), "websocket", nil); err != nil || got == nil || len(got) != 0 {
			t.Errorf("from the file: got %#v, %v", got, err)
		}
	})
}

func TestAfterFiveSecondsTheCopyIsUsedWithOneWarning(t *testing.T) {
	for name, store := range map[string]getter{
		"refused": fails,
		"hangs": func(ctx context.Context, _, _ string) (map[string]string, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				var log bytes.Buffer
				file := writeFile(t, `{"audit":{"database-url":"`+hidden+`"},"task-api":{"cursor-key":"00"}}`)
				got, err := Load(t.Context(), store, base(file), "audit", slog.New(slog.NewTextHandler(&log, nil)))
				if err != nil || !maps.Equal(got, Secrets{"database-url": hidden}) {
					t.Errorf("got %v, %v", got, err)
				}
				if took := time.Since(begin); took < storeTimeout || took > storeTimeout+storePause {
					t.Errorf("took %s, want %s", took, storeTimeout) // the test's own clock
				}
				if line := log.String(); strings.Count(line, "\n") != 1 || !strings.Contains(line, "WARN") || !strings.Contains(line, file) || !strings.Contains(line, "kubernetes-secrets") || strings.Contains(line, hidden) {
					t.Errorf("got log %s, want one warning that names store and file", line)
				}
			})
		})
	}
}

func TestWithoutAStoreOnlyTheFileIsRead(t *testing.T) {
	store := getter(func(context.Context, string, string) (map[string]string, error) {
		t.Error("the store was read")
		return nil, nil
	})
	without := func(file string) config.Base { return config.Base{SecretsFile: file} }
	got, err := Load(t.Context(), store, without(writeFile(t, `{"audit":{"database-url":"`+hidden+`"}}`)), "audit", nil)
	if err != nil || !maps.Equal(got, Secrets{"database-url": hidden}) {
		t.Errorf("got %v, %v, want the secret of the file", got, err)
	}
	if _, err := Load(t.Context(), store, without("/nowhere"), "audit", nil); err == nil || !strings.Contains(err.Error(), "/nowhere") {
		t.Errorf("got %v, want an error that names the file", err)
	}
}

// mounted is a folder as Kubernetes mounts a Secret: links to a hidden folder, which is a link itself.
func mounted(t *testing.T, values map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "..2026"), 0o755), os.Symlink("..2026", filepath.Join(dir, "..data"))); err != nil {
		t.Fatal(err)
	}
	for key, v := range values {
		err := errors.Join(os.WriteFile(filepath.Join(dir, "..2026", key), []byte(v), 0o600), os.Symlink("..data/"+key, filepath.Join(dir, key)))
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestTheCopyMayBeAMountedKubernetesSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		want := map[string]string{"database-url": hidden, "cursor-key": strings.Repeat("k", maxFileBytes)}
		got, err := Load(t.Context(), getter(fails), base(mounted(t, want)), "audit", nil)
		if err != nil || !maps.Equal(got, want) {
			t.Errorf("got %v, %v; want %v", got, err, Secrets(want))
		}
		if got, err := Load(t.Context(), getter(fails), base(mounted(t, nil)), "websocket", nil); err != nil || got == nil || len(got) != 0 {
			t.Errorf("without keys: got %#v, %v", got, err)
		}
		_, err = Load(t.Context(), getter(fails), base(mounted(t, map[string]string{"database-url": hidden + strings.Repeat("k", maxFileBytes)})), "audit", nil)
		if err == nil || !strings.Contains(err.Error(), "database-url: it has more than") || strings.Contains(err.Error(), hidden) {
			t.Errorf("a key that is too large: got %v, want an error that names it and not its value", err)
		}
	})
}

func TestLoadWaitsForALateSidecar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		late := getter(func(context.Context, string, string) (map[string]string, error) {
			if time.Since(begin) < 3*time.Second {
				return nil, errors.New("secret store is not configured")
			}
			return map[string]string{"k": "v"}, nil
		})
		if got, err := Load(t.Context(), late, base(""), "audit", nil); err != nil || got["k"] != "v" {
			t.Errorf("got %v, %v", got, err)
		}
	})
}

func TestAnErrorNamesTheStoreAndTheFileAndNoValue(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none.json")
	nested := t.TempDir()
	if err := os.Mkdir(filepath.Join(nested, "inner"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		file, content string
		say           []string
	}{
		"no file named":    {"", "", []string{"SECRETS_FILE"}},
		"file missing":     {missing, "", []string{missing, "no such file"}},
		"another app's":    {"write", `{"task-api":{"k":"` + hidden + `"}}`, []string{`no "audit"`}},
		"not JSON":         {"write", hidden, []string{`{"APP":{"key":"value"}}`}},
		"a number":         {"write", `{"audit":{"k":31337}}`, []string{`{"APP":{"key":"value"}}`}},
		"not by app":       {"write", `{"database-url":"` + hidden + `"}`, []string{`{"APP":{"key":"value"}}`}},
		"two documents":    {"write", `{"audit":{}} {"k":"` + hidden + `"}`, []string{`{"APP":{"key":"value"}}`}},
		"null for the app": {"write", `null`, []string{`no "audit"`}},
		"a nested folder":  {nested, "", []string{nested, "inner", "directory"}},
		"very large":       {"write", strings.Repeat(hidden, maxFileBytes), []string{"more than"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				file := tc.file
				if file == "write" {
					file = writeFile(t, tc.content)
				}
				got, err := Load(t.Context(), getter(fails), base(file), "audit", nil)
				if err == nil || got != nil {
					t.Fatalf("got %v, %v; want an error", got, err)
				}
				for _, want := range append(tc.say, "audit", "kubernetes-secrets", "connection refused", tc.file) {
					if want != "write" && !strings.Contains(err.Error(), want) {
						t.Errorf("got %v, want it to say %q", err, want)
					}
				}
				if strings.Contains(err.Error(), hidden) || strings.Contains(err.Error(), "31337") {
					t.Errorf("a value is in the error: %v", err)
				}
			})
		})
	}
}

func TestAStoppedServiceDoesNotReadTheCopy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err := Load(ctx, getter(fails), base(writeFile(t, `{"audit":{}}`)), "audit", nil)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
	})
}

func TestRequireNamesEveryKeyThatIsMissing(t *testing.T) {
	s := Secrets{"a": hidden, "empty": ""}
	if err := s.Require("a"); err != nil {
		t.Errorf("got %v, want nil", err)
	}
	err := s.Require("b", "a", "empty", "c")
	if err == nil || !strings.HasSuffix(err.Error(), ": b, empty, c") {
		t.Errorf("got %v, want b, empty and c", err)
	}
}

func TestSecretsPrintAsTheirKeys(t *testing.T) {
	s := Secrets{"b": hidden, "a": hidden}
	var text, document bytes.Buffer
	holder := struct{ Secrets Secrets }{s}
	for _, h := range []slog.Handler{slog.NewTextHandler(&text, nil), slog.NewJSONHandler(&document, nil)} {
		slog.New(h).Info("loaded", "secrets", s, "holder", holder)
	}
	marshalled, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, got := range []string{fmt.Sprint(s), fmt.Sprintf("%v %+v %#v %s %q", s, holder, holder, s, s), text.String(), document.String(), string(marshalled)} {
		if strings.Contains(got, hidden) || !strings.Contains(got, "secrets[a b]") {
			t.Errorf("got %s, want the keys only", got)
		}
	}
}

func TestSecretsComeFromARealSidecarOrFromTheCopy(t *testing.T) {
	want := map[string]string{"database-url": "postgres://u:p@h/audit", "checkpoint-signing-key": "PRIVATE+KEY+x"}
	s := sidecar.Start(t, sidecar.Config{AppID: "audit", Resources: map[string]string{
		"secrets": sidecar.Secrets(t, map[string]map[string]string{"audit": want, "websocket": {}}),
	}})
	client, err := dapr.New(dapr.Config{HTTPPort: s.HTTPPort, GRPCPort: s.GRPCPort})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	copied := base(writeFile(t, `{"audit":{"database-url":"from the copy"},"task-api":{"cursor-key":"from the copy"}}`))
	if got, err := Load(t.Context(), client, copied, "audit", nil); err != nil || !maps.Equal(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, Secrets(want))
	}
	if got, err := Load(t.Context(), client, copied, "websocket", nil); err != nil || len(got) != 0 {
		t.Errorf("a secret without keys: got %v, %v; want none", got, err)
	}
	if got, err := Load(t.Context(), client, copied, "task-api", nil); err != nil || got["cursor-key"] != "from the copy" {
		t.Errorf("a secret that the store has not: got %v, %v; want the copy", got, err)
	}
	s.Kill()
	if got, err := Load(t.Context(), client, copied, "audit", nil); err != nil || got["database-url"] != "from the copy" {
		t.Errorf("without a sidecar: got %v, %v; want the copy", got, err)
	}
}
