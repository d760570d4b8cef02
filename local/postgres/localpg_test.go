package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	localpg "github.com/taskwire/taskwire/local/postgres"
)

const (
	patience = 60 * time.Second // before a test calls something stuck
	poll     = 10 * time.Millisecond
)

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	t.Cleanup(cancel)
	return ctx
}

// lines collects progress lines.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) add(s string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, s)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.all, "\n")
}

func start(t *testing.T, cfg localpg.Config) *localpg.Server {
	t.Helper()
	s, err := localpg.Start(testContext(t), cfg)
	if err != nil {
		t.Fatalf("Start: %v", err)
	}
	t.Cleanup(func() { stop(t, s) })
	return s
}

func stop(t *testing.T, s *localpg.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Errorf("Stop: %v", err)
	}
}

func query(t *testing.T, s interface{ URL() string }, sql string) string {
	t.Helper()
	ctx := testContext(t)
	conn, err := pgx.Connect(ctx, s.URL())
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	var answer string
	if err := conn.QueryRow(ctx, sql).Scan(&answer); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return answer
}

func execute(t *testing.T, s interface{ URL() string }, sql string) {
	t.Helper()
	ctx := testContext(t)
	conn, err := pgx.Connect(ctx, s.URL())
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func TestDataSurvivesAStopAndAStart(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "pg")
	s := start(t, localpg.Config{DataDir: dir, Durable: true})
	execute(t, s, "CREATE TABLE kept AS SELECT 'hello' AS word")
	stop(t, s)
	if err := syscall.Kill(s.PID(), 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("after Stop, kill(%d, 0) = %v, want ESRCH", s.PID(), err)
	}
	s = start(t, localpg.Config{DataDir: dir, Durable: true})
	if got := query(t, s, "SELECT word FROM kept"); got != "hello" {
		t.Errorf("word = %q, want hello", got)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	s := start(t, localpg.Config{DataDir: t.TempDir(), Durable: true})
	for setting, want := range map[string]string{
		"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "max_connections": "200",
		"shared_buffers": "128MB", "fsync": "on", "synchronous_commit": "on", "server_encoding": "UTF8",
		"TimeZone": "UTC", "password_encryption": "scram-sha-256",
	} {
		if got := query(t, s, "SHOW "+setting); got != want {
			t.Errorf("%s = %q, want %q", setting, got, want)
		}
	}
	if got := query(t, s, "SELECT lower('ÄÉ') || upper('ß')"); !strings.HasPrefix(got, "äé") {
		t.Errorf("lower('ÄÉ') = %q, want äé", got)
	}
	if got := query(t, s, "SELECT string_agg(x, '' ORDER BY x) FROM unnest('{b,A,a,B}'::text[]) x"); got != "ABab" {
		t.Errorf("order = %q, want byte order ABab", got)
	}
	if got := query(t, s, "SELECT count(*)::text FROM pg_hba_file_rules WHERE auth_method <> 'scram-sha-256'"); got != "0" {
		t.Errorf("%s rules of pg_hba.conf let in without scram-sha-256", got)
	}
}

func TestAWrongPasswordIsRefused(t *testing.T) {
	t.Parallel()
	s := start(t, localpg.Config{DataDir: t.TempDir()})
	cfg, err := pgx.ParseConfig(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	cfg.Password = "guess"
	if conn, err := pgx.ConnectConfig(testContext(t), cfg); err == nil {
		_ = conn.Close(t.Context())
		t.Fatal("a wrong password was let in")
	}
}

func TestThePasswordFileIsForItsOwnerOnly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start(t, localpg.Config{DataDir: dir})
	info, err := os.Stat(filepath.Join(dir, "superuser"))
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("mode = %o, want 600", got)
	}
}

func TestALostPasswordFileIsReplaced(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, localpg.Config{DataDir: dir})
	old := s.URL()
	stop(t, s)
	if err := os.Remove(filepath.Join(dir, "superuser")); err != nil {
		t.Fatal(err)
	}
	s = start(t, localpg.Config{DataDir: dir})
	if got := query(t, s, "SELECT 'in'"); got != "in" || s.URL() == old {
		t.Errorf("query = %q, URL changed = %v", got, s.URL() != old)
	}
}

// TestAFolderNobodyElseCanWalkTo is for the home of root, which has mode 0700: Postgres does not run as root.
func TestAFolderNobodyElseCanWalkTo(t *testing.T) {
	t.Parallel()
	outer := t.TempDir()
	if err := os.Chmod(outer, 0o700); err != nil {
		t.Fatal(err)
	}
	var said lines
	dir := filepath.Join(outer, "deep", "er", "pg")
	s := start(t, localpg.Config{DataDir: dir, Progress: said.add})
	execute(t, s, "CREATE DATABASE other")
	stop(t, s)
	if !exists(filepath.Join(dir, "cluster", "PG_VERSION")) {
		t.Errorf("the cluster is not in its folder; said: %s", &said)
	}
	start(t, localpg.Config{DataDir: dir})
}

func TestAKilledInitdbLeavesNoCluster(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(testContext(t))
	go func() {
		for ctx.Err() == nil {
			if made, _ := filepath.Glob(filepath.Join(dir, "init-*", "cluster", "PG_VERSION")); len(made) > 0 {
				cancel()
			}
			time.Sleep(poll)
		}
	}()
	if _, err := localpg.Prepare(ctx, localpg.Config{DataDir: dir}); !errors.Is(err, context.Canceled) {
		t.Fatalf("Prepare = %v, want context.Canceled", err)
	}
	if exists(filepath.Join(dir, "cluster")) {
		t.Error("a killed initdb left a cluster")
	}
	start(t, localpg.Config{DataDir: dir})
}

// address is a server that a test has started itself.
type address string

func (a address) URL() string { return string(a) }

// TestAKilledServerStartsAgain does what a killed supervisor does: the postmaster ends without its backends, and the lock
// of the folder is free. Both backends are in the middle of a computation in which they do not notice that it has ended.
func TestAKilledServerStartsAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ctx := testContext(t)
	plan, err := localpg.Prepare(ctx, localpg.Config{DataDir: dir, Durable: true})
	if err != nil {
		t.Fatal(err)
	}
	cmd, err := plan.Command(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := address(plan.URL)
	waitFor(t, "the server answers", func() bool {
		conn, err := pgx.Connect(ctx, plan.URL)
		if err == nil {
			_ = conn.Close(ctx)
		}
		return err == nil
	})
	execute(t, s, "CREATE TABLE kept AS SELECT 'acknowledged' AS word")
	var computations sync.WaitGroup
	defer computations.Wait()
	busy, cancel := context.WithCancel(ctx)
	defer cancel()
	for range 2 {
		conn, err := pgx.Connect(ctx, plan.URL)
		if err != nil {
			t.Fatal(err)
		}
		computations.Go(func() {
			_, _ = conn.Exec(busy, "SELECT count(*) FROM generate_series(1, 1000000000)") // it ends with the server
			_ = conn.Close(ctx)
		})
	}
	waitFor(t, "both computations run", func() bool {
		return query(t, s, "SELECT count(*)::text FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%generate_series(1, 1000%' AND pid <> pg_backend_pid()") == "2"
	})
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	plan.Release()
	again := start(t, localpg.Config{DataDir: dir, Durable: true})
	if got := query(t, again, "SELECT word FROM kept"); got != "acknowledged" {
		t.Errorf("word = %q", got)
	}
}

func TestWaitReturnsAnErrorAfterAKill(t *testing.T) {
	t.Parallel()
	s := start(t, localpg.Config{DataDir: t.TempDir()})
	if err := syscall.Kill(s.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := s.Wait(); err == nil {
		t.Error("Wait = nil after kill -9")
	}
}

func TestAPlanCanRunSeveralTimes(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	plan, err := localpg.Prepare(ctx, localpg.Config{DataDir: t.TempDir(), Durable: true})
	if err != nil {
		t.Fatal(err)
	}
	defer plan.Release()
	for round, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGQUIT, syscall.SIGINT} {
		cmd, err := plan.Command(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		waitFor(t, fmt.Sprintf("answer in round %d", round), func() bool {
			conn, err := pgx.Connect(ctx, plan.URL)
			if err == nil {
				_ = conn.Close(ctx)
			}
			return err == nil
		})
		_ = cmd.Process.Signal(sig)
		_ = cmd.Wait()
	}
}

func TestASecondUserOfAFolderIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := start(t, localpg.Config{DataDir: dir})
	want := fmt.Sprintf("process %d uses it", os.Getpid())
	if _, err := localpg.Prepare(testContext(t), localpg.Config{DataDir: dir}); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("Prepare = %v, want an error with %q", err, want)
	}
	if got := query(t, first, "SELECT 'alive'"); got != "alive" {
		t.Errorf("the first server answers %q, want alive", got)
	}
}

func TestATakenPortIsReported(t *testing.T) {
	t.Parallel()
	first := start(t, localpg.Config{DataDir: t.TempDir()})
	cfg, err := pgx.ParseConfig(first.URL())
	if err != nil {
		t.Fatal(err)
	}
	_, err = localpg.Start(testContext(t), localpg.Config{DataDir: t.TempDir(), Port: int(cfg.Port)})
	if err == nil || !strings.Contains(err.Error(), "port is taken") {
		t.Errorf("Start on a taken port = %v", err)
	}
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(poll) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}
