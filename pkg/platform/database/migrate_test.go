package database

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/taskwire/taskwire/local/ports"
	"github.com/taskwire/taskwire/pkg/platform/postgres"
	"github.com/taskwire/taskwire/testkit/logtest"
	"github.com/taskwire/taskwire/testkit/pgtest"
	"github.com/taskwire/taskwire/testkit/porttest"
)

// patience bounds every wait, on a busy machine too.
const patience = time.Minute

var sets = []Set{{Name: "one", FS: fstest.MapFS{"00001_a.sql": {Data: []byte("-- +goose Up\nCREATE TABLE a (x int);")}}}}

func run(ctx context.Context, args ...string) (code int, out, errs string) {
	var o, e bytes.Buffer
	code = MigrateCommand(sets...).Run(ctx, "audit", args, &o, &e)
	return code, o.String(), e.String()
}

func TestSeveralMigrateCommandsMigrateOnce(t *testing.T) {
	db := pgtest.New(t, "audit")
	t.Setenv(EnvMigrateURL, db.OwnerURL)
	if err := postgres.Migrated(t.Context(), db.Gorm, sets...); !errors.Is(err, postgres.ErrNotMigrated) {
		t.Fatalf("before: got %v, want ErrNotMigrated", err)
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	applied := 0
	for range 4 {
		all.Go(func() {
			code, out, errs := run(t.Context())
			mu.Lock()
			defer mu.Unlock()
			applied += strings.Count(out, "00001_a.sql")
			if code != 0 || errs != "" || !strings.Contains(out, "up to date") {
				t.Errorf("migrate: got %d %q %q, want 0 and that it is up to date", code, out, errs)
			}
		})
	}
	all.Wait()
	if applied != 1 {
		t.Errorf("the migration ran %d times, want 1", applied)
	}
	if err := postgres.Migrated(t.Context(), db.Gorm, sets...); err != nil {
		t.Errorf("after: %v", err)
	}
}

func TestTheOwnersAddressCanBeInAFile(t *testing.T) {
	db := pgtest.New(t, "audit")
	file := filepath.Join(t.TempDir(), "url")
	if err := os.WriteFile(file, []byte(db.OwnerURL+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(EnvMigrateFile, file)
	if code, _, errs := run(t.Context()); code != 0 {
		t.Errorf("migrate: got %d %s", code, errs)
	}
}

func TestMigrateRefusesWhatItCannotUse(t *testing.T) {
	const secret = "S3CRET"
	large := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(large, []byte(strings.Repeat(secret, maxAddress)), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		url, file string
		args      []string
		code      int
		says      string
	}{
		"no address":       {code: exitFailed, says: "neither MIGRATE_URL nor MIGRATE_URL_FILE"},
		"two addresses":    {url: "postgres://" + secret, file: empty, code: exitFailed, says: "both set"},
		"a bad address":    {url: "postgres://u:" + secret + "@h:notaport/d", code: exitFailed, says: "migrate"},
		"no file":          {file: filepath.Join(t.TempDir(), "none"), code: exitFailed, says: "no such file"},
		"an empty file":    {file: empty, code: exitFailed, says: "holds no address"},
		"a large file":     {file: large, code: exitFailed, says: "holds no address"},
		"an unknown flag":  {args: []string{"--down"}, code: exitUsage, says: "-down"},
		"an argument":      {args: []string{"now"}, code: exitUsage, says: `"now"`},
		"no time to wait":  {args: []string{"--wait", "0s"}, code: exitUsage, says: "--wait"},
		"a wrong duration": {args: []string{"--wait", "soon"}, code: exitUsage, says: "soon"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(EnvMigrateURL, tc.url)
			t.Setenv(EnvMigrateFile, tc.file)
			code, out, errs := run(t.Context(), tc.args...)
			if code != tc.code || !strings.Contains(errs, tc.says) || strings.Contains(out+errs, secret) {
				t.Errorf("got %d %q %q, want %d, an error that contains %q and no secret", code, out, errs, tc.code, tc.says)
			}
		})
	}
}

func TestMigrateHelpNamesTheSettings(t *testing.T) {
	code, out, errs := run(t.Context(), "--help")
	if code != 0 || errs != "" || !strings.Contains(out, EnvMigrateURL) || !strings.Contains(out, "-wait") {
		t.Errorf("--help: got %d %q %q", code, out, errs)
	}
}

func TestMigrateSaysWhatItWaitsForAndCanBeStopped(t *testing.T) {
	t.Setenv(EnvMigrateURL, "postgres://audit_owner:S3CRET@"+ports.Loopback(porttest.Closed(t))+"/audit?sslmode=disable")
	if code, _, errs := run(t.Context(), "--wait", "1ms"); code != exitFailed || !strings.Contains(errs, "gave up") {
		t.Errorf("after its wait: got %d %q, want an error that it gave up", code, errs)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out, errs logtest.Buffer
	ended := make(chan int, 1)
	go func() { ended <- MigrateCommand(sets...).Run(ctx, "audit", nil, &out, &errs) }()
	for deadline := time.Now().Add(patience); !strings.Contains(out.String(), "waiting to migrate"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it does not say that it waits: %q", out.String())
		}
	}
	cancel()
	if code := <-ended; code != exitFailed || !strings.Contains(errs.String(), "stopped") || strings.Contains(out.String()+errs.String(), "S3CRET") {
		t.Errorf("stopped: got %d %q %q", code, out.String(), errs.String())
	}
}
