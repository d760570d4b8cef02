package pgtest_test

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/taskwire/taskwire/pkg/platform/postgres"
	"github.com/taskwire/taskwire/testkit/pgtest"
)

func TestMain(m *testing.M) {
	if os.Getenv("PGTEST_CHILD") != "" {
		m.Run() // without Main, as most packages
		return
	}
	pgtest.Main(m)
}

var notes = postgres.Set{Name: "notes", FS: fstest.MapFS{
	"00001_notes.sql": {Data: []byte(`-- +goose Up
ALTER DEFAULT PRIVILEGES GRANT SELECT, INSERT ON TABLES TO tasks_app;
CREATE TABLE note (word text PRIMARY KEY, at timestamptz NOT NULL DEFAULT now());
`)},
}}

func TestEachTestHasItsOwnDatabase(t *testing.T) {
	t.Parallel()
	first, second := pgtest.New(t, "tasks", notes), pgtest.New(t, "tasks", notes)
	if err := first.Gorm.Exec("INSERT INTO note VALUES ('one')").Error; err != nil {
		t.Fatal(err)
	}
	var n int64
	if err := second.Gorm.Table("note").Count(&n).Error; err != nil || n != 0 {
		t.Errorf("the second database has %d notes, %v; want 0", n, err)
	}
}

func TestTheDatabaseIsDroppedAfterTheTest(t *testing.T) {
	t.Parallel()
	var name string
	t.Run("inner", func(t *testing.T) {
		db := pgtest.New(t, "tasks", notes)
		name = db.Name
		// A connection that the test does not close.
		if _, err := pgx.Connect(t.Context(), db.OwnerURL); err != nil {
			t.Fatal(err)
		}
	})
	conn, err := pgx.Connect(t.Context(), pgtest.ServerURL(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	var n int
	if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_database WHERE datname = $1", name).Scan(&n); err != nil || n != 0 {
		t.Errorf("databases named %s: %d, %v; want 0", name, n, err)
	}
}

func TestTheRuntimeRoleHasOnlyTheGrantedRights(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t, "tasks", notes)
	for sql, allowed := range map[string]bool{
		"INSERT INTO note VALUES ('x')": true,
		"SELECT * FROM note":            true,
		"UPDATE note SET word = 'y'":    false,
		"DELETE FROM note":              false,
		"DROP TABLE note":               false,
		"CREATE TABLE other ()":         false,
	} {
		if err := db.Gorm.Exec(sql).Error; (err == nil) != allowed {
			t.Errorf("as the runtime role, %s = %v; allowed should be %v", sql, err, allowed)
		}
	}
	conn, err := pgx.Connect(t.Context(), db.OwnerURL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	if _, err := conn.Exec(t.Context(), "DROP TABLE note"); err != nil {
		t.Errorf("as the owner: %v", err)
	}
}

func TestDatabasesAreMadeConcurrently(t *testing.T) {
	t.Parallel()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			db := pgtest.New(t, "audit", notes2)
			if err := db.Gorm.Exec("SELECT * FROM note").Error; err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

var notes2 = postgres.Set{Name: "notes", FS: fstest.MapFS{
	"00001_notes.sql": {Data: []byte("-- +goose Up\nCREATE TABLE note (); GRANT SELECT ON note TO audit_app;\n")},
}}

// TestChild runs in the process that TestNoServerOutlivesItsProcess starts.
func TestChild(t *testing.T) {
	if os.Getenv("PGTEST_CHILD") == "" {
		return // in the parent process
	}
	db := pgtest.New(t, "tasks", notes)
	var pid, dir string
	conn, err := pgx.Connect(t.Context(), db.AdminURL)
	if err != nil {
		t.Fatal(err)
	}
	err = conn.QueryRow(t.Context(), "SELECT split_part(pg_read_file('postmaster.pid'), E'\n', 1), current_setting('data_directory')").Scan(&pid, &dir)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = os.Stdout.WriteString("server " + pid + "\n")
	switch os.Getenv("PGTEST_CHILD") {
	case "hang":
		<-t.Context().Done()
	case "panic":
		panic("as a failing test does")
	}
}

func TestNoServerOutlivesItsProcess(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"end", "panic", "hang"} {
		t.Run(way, func(t *testing.T) {
			temp := t.TempDir()
			cmd := exec.Command(os.Args[0], "-test.run=^TestChild$", "-test.v")
			cmd.Env = append(os.Environ(), "PGTEST_CHILD="+way, "TEST_DATABASE_URL=", "TMPDIR="+temp)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			var pid string
			for lines := bufio.NewScanner(out); lines.Scan(); {
				if text, ok := strings.CutPrefix(lines.Text(), "server "); ok {
					pid = text
					if way == "hang" {
						_ = cmd.Process.Signal(syscall.SIGKILL)
					}
				}
			}
			_ = cmd.Wait()
			if pid == "" {
				t.Fatal("the child printed no pid")
			}
			for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
				left, err := os.ReadDir(temp)
				alive := exec.Command("kill", "-0", pid).Run() == nil
				if err == nil && len(left) == 0 && !alive {
					return
				}
				if time.Now().After(deadline) {
					t.Fatalf("server %s alive: %v; left in the temporary folder: %v, %v", pid, alive, left, err)
				}
			}
		})
	}
}
