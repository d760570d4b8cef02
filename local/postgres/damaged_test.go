package postgres_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	localpg "github.com/taskwire/taskwire/local/postgres"
)

func TestADamagedFolderIsReportedAndKept(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		damage func(dir string) error
		want   string
	}{
		"no version": {
			func(dir string) error { return os.Remove(filepath.Join(dir, "cluster", "PG_VERSION")) },
			"PG_VERSION is missing",
		},
		"strange version": {
			func(dir string) error {
				return os.WriteFile(filepath.Join(dir, "cluster", "PG_VERSION"), []byte("banana\n"), 0o600)
			},
			`PG_VERSION holds "banana\n"`,
		},
		"other version": {
			func(dir string) error {
				return os.WriteFile(filepath.Join(dir, "cluster", "PG_VERSION"), []byte("9\n"), 0o600)
			},
			"made by Postgres 9",
		},
		"no control file": {
			func(dir string) error { return os.Remove(filepath.Join(dir, "cluster", "global", "pg_control")) },
			"global/pg_control is missing",
		},
		"broken control file": {
			func(dir string) error {
				return os.WriteFile(filepath.Join(dir, "cluster", "global", "pg_control"), make([]byte, 8192), 0o600)
			},
			"PG_CONTROL_VERSION",
		},
		"no transaction log": {
			func(dir string) error {
				old, err := filepath.Glob(filepath.Join(dir, "cluster", "pg_wal", "0*"))
				for _, f := range old {
					err = errors.Join(err, os.Remove(f))
				}
				return err
			},
			"checkpoint record",
		},
		"a file in its place": {
			func(dir string) error {
				return errors.Join(os.RemoveAll(filepath.Join(dir, "cluster")),
					os.WriteFile(filepath.Join(dir, "cluster"), []byte("x"), 0o600))
			},
			"is a file",
		},
		"something else": {
			func(dir string) error {
				return errors.Join(os.RemoveAll(filepath.Join(dir, "cluster")),
					os.MkdirAll(filepath.Join(dir, "cluster", "photos"), 0o700))
			},
			"not a Postgres cluster",
		},
		"a cluster of another program": {
			func(dir string) error {
				return errors.Join(os.RemoveAll(filepath.Join(dir, "cluster")),
					os.WriteFile(filepath.Join(dir, "PG_VERSION"), []byte("15\n"), 0o600))
			},
			"did not make",
		},
	}
	model := t.TempDir()
	stop(t, start(t, localpg.Config{DataDir: model}))
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "pg")
			if out, err := exec.Command("cp", "-a", model, dir).CombinedOutput(); err != nil {
				t.Fatalf("cp: %v: %s", err, out)
			}
			if err := tc.damage(dir); err != nil {
				t.Fatal(err)
			}
			before := listing(t, dir)
			s, err := localpg.Start(testContext(t), localpg.Config{DataDir: dir})
			if err == nil {
				stop(t, s)
				t.Fatal("Start succeeded")
			}
			if !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), dir) {
				t.Errorf("error %q does not say %q and %s", err, tc.want, dir)
			}
			for path := range before {
				if !exists(path) {
					t.Errorf("%s is gone", path)
				}
			}
		})
	}
}

func listing(t *testing.T, dir string) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		all[path] = true
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestAFileAsDataFolderIsReported(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "pg")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := localpg.Prepare(testContext(t), localpg.Config{DataDir: file})
	if err == nil || !strings.Contains(err.Error(), "file") {
		t.Errorf("Prepare = %v, want an error about a file", err)
	}
}
