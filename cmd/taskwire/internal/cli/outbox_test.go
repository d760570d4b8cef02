package cli

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	localpg "github.com/taskwire/taskwire/local/postgres"
	"github.com/taskwire/taskwire/local/provision"
	"github.com/taskwire/taskwire/local/secretfile"
	"github.com/taskwire/taskwire/pkg/platform/outbox"
	"github.com/taskwire/taskwire/pkg/platform/postgres"
)

// newOutboxes returns a data folder whose secrets have the addresses of both databases on a real server.
func newOutboxes(t *testing.T) (data string, query func(database, sql string, args ...any) string) {
	t.Helper()
	server, err := localpg.Start(t.Context(), localpg.Config{DataDir: t.TempDir(), Progress: func(string) {}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(context.Background()); err != nil { // the test's own context has ended
			t.Error(err)
		}
	})
	data = t.TempDir()
	secrets, err := secretfile.Load(filepath.Join(data, "secrets"))
	if err != nil {
		t.Fatal(err)
	}
	if err := provision.EnsureDatabases(t.Context(), server.URL(), secrets.Password); err != nil {
		t.Fatal(err)
	}
	err = secrets.Write(func(role, password string) (string, error) {
		return provision.URL(server.URL(), strings.TrimSuffix(strings.TrimSuffix(role, "_app"), "_owner"), role, password)
	})
	if err != nil {
		t.Fatal(err)
	}
	url := map[string]string{}
	for _, a := range outboxApps {
		if url[a.database], err = secretfile.Value(filepath.Join(data, "secrets"), secretfile.Migrate(a.app), secretfile.MigrateKey); err != nil {
			t.Fatal(err)
		}
		set := postgres.Set{Name: "outbox", FS: outbox.Migrations}
		if err := postgres.Migrate(t.Context(), url[a.database], slog.New(slog.DiscardHandler), set); err != nil {
			t.Fatal(err)
		}
	}
	return data, func(database, sql string, args ...any) (answer string) {
		t.Helper()
		conn, err := pgx.Connect(t.Context(), url[database])
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(t.Context())
		if err := conn.QueryRow(t.Context(), sql, args...).Scan(&answer); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		return answer
	}
}

const parkSQL = `
	INSERT INTO outbox_parked (id, topic, key, event_id, type, subject, trace_parent, data, created_at, reason)
	VALUES ($1, 'task-events', 'ann', gen_random_uuid(), 'TaskEvent', $2, '', '{"n":1}', now() - interval '2 hours', E'too large:\n2 MB')
	RETURNING event_id::text`

func TestTheOutboxCommandListsRetriesAndDrops(t *testing.T) {
	t.Parallel()
	data, query := newOutboxes(t)
	first := query("tasks", parkSQL, 7, "task-1")
	query("tasks", parkSQL, 8, "task-1")
	query("notifications", parkSQL, 7, "task-9")
	at := func(args ...string) (int, string, string) {
		return call(t, append([]string{"outbox", "--data", data}, args...)...)
	}
	in := func(table string) string {
		return query("tasks", `SELECT count(*)::text FROM `+table)
	}

	code, out, errs := at()
	for _, want := range []string{"tasks: 0 waiting, 2 parked", "notifications: 0 waiting, 1 parked", "task-9", "too large: 2 MB", "task-events", "ann"} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("outbox: got %d %q %q, want it to contain %q", code, out, errs, want)
		}
	}
	code, out, _ = at("--json", "--check")
	var reports []outboxReport
	if err := json.Unmarshal([]byte(out), &reports); err != nil || code == 0 {
		t.Fatalf("outbox --json --check: got %d, %v: %s; want a failure with JSON", code, err, out)
	}
	if len(reports) != 2 || reports[0].Parked != 2 || reports[0].Events[0].EventID != first || reports[0].Events[0].TaskID != "task-1" {
		t.Errorf("outbox --json: got %+v", reports)
	}
	if code, _, errs := at("show", "7"); code == 0 || !strings.Contains(errs, "--database") {
		t.Errorf("show of an id that both have: got %d %q, want that one must be chosen", code, errs)
	}
	if code, out, errs := at("show", first); code != 0 || !strings.Contains(out, `{"n":1}`) || !strings.Contains(out, "2 MB") {
		t.Errorf("show: got %d %q %q", code, out, errs)
	}
	if code, _, errs := at("retry", "8"); code == 0 || !strings.Contains(errs, "event 7 ") || in("outbox_parked") != "2" {
		t.Errorf("retry before an earlier event: got %d %q", code, errs)
	}
	if code, out, errs := at("retry", first); code != 0 || in("outbox_parked") != "1" || in("outbox") != "1" {
		t.Errorf("retry: got %d %q %q", code, out, errs)
	}
	if code, out, _ := at("--database", "tasks"); code != 0 || !strings.Contains(out, "tasks: 1 waiting, the oldest for ") {
		t.Errorf("the backlog: got %d %q", code, out)
	}

	if code, _, errs := at("drop", "8"); code == 0 || !strings.Contains(errs, "not dropped") || in("outbox_parked") != "1" {
		t.Errorf("drop without an answer: got %d %q", code, errs)
	}
	code, out, errs = at("drop", "8", "--yes", "--json")
	var dropped parkedEvent
	if err := json.Unmarshal([]byte(out), &dropped); err != nil || code != 0 || dropped.ID != 8 || string(dropped.Data) == "" || in("outbox_parked") != "0" {
		t.Errorf("drop --yes --json: got %d %q %q, %v", code, out, errs, err)
	}
	if code, out, errs := at("retry", "--all"); code != 0 || !strings.Contains(out, "notifications: 1 put back") || !strings.Contains(out, "tasks: 0 put back") {
		t.Errorf("retry --all: got %d %q %q", code, out, errs)
	}
	if code, out, _ := at("--check"); code != 0 || !strings.Contains(out, "notifications: 1 waiting") {
		t.Errorf("outbox --check with nothing parked: got %d %q", code, out)
	}
	url, err := secretfile.Value(filepath.Join(data, "secrets"), secretfile.Migrate("task-api"), secretfile.MigrateKey)
	if err != nil {
		t.Fatal(err)
	}
	if code, out, errs := call(t, "outbox", "--database-url", url); code != 0 || !strings.Contains(out, "the given database: 1 waiting") {
		t.Errorf("outbox --database-url: got %d %q %q", code, out, errs)
	}
}

func TestADropIsConfirmedFirst(t *testing.T) {
	t.Parallel()
	data, query := newOutboxes(t)
	query("tasks", parkSQL, 8, "task-1")
	for _, tc := range []struct {
		answer string
		code   bool
		left   string
	}{{"n\n", false, "1"}, {"", false, "1"}, {"y\n", true, "0"}} {
		root := newRoot()
		var errs strings.Builder
		root.SetIn(strings.NewReader(tc.answer))
		root.SetErr(&errs)
		root.SetOut(&errs)
		root.SetArgs([]string{"outbox", "drop", "8", "--data", data})
		err := root.ExecuteContext(t.Context())
		if left := query("tasks", `SELECT count(*)::text FROM outbox_parked`); (err == nil) != tc.code || left != tc.left || !strings.Contains(errs.String(), "for good?") {
			t.Errorf("drop answered %q: got %v, %q, %s left, want %s", tc.answer, err, errs.String(), left, tc.left)
		}
	}
}

func TestAnOutboxThatCannotBeReadIsExplained(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	for want, args := range map[string][]string{
		"taskwire up":               {"outbox", "--data", data},
		`--database "audit"`:        {"outbox", "--data", data, "--database", "audit"},
		"which event":               {"outbox", "show"},
		"Give one id, or --all":     {"outbox", "retry", "1", "--all"},
		"open the outbox of the gi": {"outbox", "--database-url", "postgres://nobody:secretword@127.0.0.1:1/x"},
	} {
		code, _, errs := call(t, args...)
		if code != 1 || !strings.Contains(errs, want) || strings.Contains(errs, "secretword") {
			t.Errorf("taskwire %v: got %d %q, want it to contain %q", args, code, errs, want)
		}
	}
	if _, err := os.Stat(filepath.Join(data, "secrets")); err == nil {
		t.Error("reading made a folder of secrets")
	}
}
