package users

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	localpg "github.com/taskwire/taskwire/local/postgres"
	"github.com/taskwire/taskwire/local/provision"
	"github.com/taskwire/taskwire/pkg/platform/outbox"
	"github.com/taskwire/taskwire/pkg/platform/postgres"
)

// database starts a server with the databases of Taskwire, and returns the address of the tasks database for its owner.
func database(t *testing.T) (owner string, exec func(sql string)) {
	t.Helper()
	s, err := localpg.Start(t.Context(), localpg.Config{DataDir: t.TempDir(), Progress: func(string) {}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil { // the test's own context has ended
			t.Error(err)
		}
	})
	if err := provision.EnsureDatabases(t.Context(), s.URL(), func(string) (string, error) { return "secret", nil }); err != nil {
		t.Fatal(err)
	}
	owner, err = provision.URL(s.URL(), "tasks", "tasks_owner", "secret")
	if err != nil {
		t.Fatal(err)
	}
	return owner, func(sql string) {
		t.Helper()
		conn, err := pgx.Connect(t.Context(), owner)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(t.Context())
		if _, err := conn.PgConn().Exec(t.Context(), sql).ReadAll(); err != nil {
			t.Fatal(err)
		}
	}
}

// ada is the id of the account whose role changes.
const ada = "01890a5d-ac96-774b-bcce-b302099a8057"

// changed describes the row of an event.
func changed(role string) string {
	return "role_changed " + role + " account-events " + ada + " AccountEvent"
}

// rows returns the rows of a query, each of one text.
func rows(t *testing.T, url, sql string) []string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	found, err := conn.Query(t.Context(), sql)
	if err != nil {
		t.Fatal(err)
	}
	list, err := pgx.CollectRows(found, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// What cannot be written as a whole is not written at all: the role stays if the event cannot be stored.
func TestARoleDoesNotChangeWithoutItsEvent(t *testing.T) {
	t.Parallel()
	url, exec := database(t)
	migrations := postgres.Set{Name: "tasks", FS: os.DirFS("../../../../services/task-api/internal/postgres/migrations")}
	if err := postgres.Migrate(t.Context(), url, slog.New(slog.DiscardHandler), migrations, postgres.Set{Name: "outbox", FS: outbox.Migrations}); err != nil {
		t.Fatal(err)
	}
	exec(`INSERT INTO users (id, email, name, timezone, password_hash, created_at, updated_at) VALUES ('` + ada + `', 'ada@example.com', '', 'UTC', 'hash', now(), now());
		INSERT INTO heads (user_id) VALUES ('` + ada + `'); ALTER TABLE outbox ADD CHECK (topic <> 'account-events')`)
	if _, err := SetRole(t.Context(), url, "ada@example.com", "auditor"); err == nil {
		t.Error("SetRole without its event: got no error")
	}
	if role, err := Role(t.Context(), url, "ada@example.com"); err != nil || role != "user" {
		t.Errorf("Role afterwards: got %q %v, want user", role, err)
	}
	if got := rows(t, url, `SELECT kind FROM revocations`); len(got) > 0 {
		t.Errorf("revocations: got %q, want none", got)
	}
}

// The services keep the later of two changes, so the time of a change has to be after that of the one before.
func TestALaterChangeOfARoleHasALaterTime(t *testing.T) {
	t.Parallel()
	url, exec := database(t)
	migrations := postgres.Set{Name: "tasks", FS: os.DirFS("../../../../services/task-api/internal/postgres/migrations")}
	if err := postgres.Migrate(t.Context(), url, slog.New(slog.DiscardHandler), migrations, postgres.Set{Name: "outbox", FS: outbox.Migrations}); err != nil {
		t.Fatal(err)
	}
	exec(`INSERT INTO users (id, email, name, timezone, password_hash, role, created_at, updated_at) VALUES ('` + ada + `', 'ada@example.com', '', 'UTC', 'hash', 'auditor', now(), now());
		INSERT INTO heads (user_id) VALUES ('` + ada + `');
		INSERT INTO revocations (kind, id, user_id, role, at) VALUES ('role', '` + ada + `', '` + ada + `', 'auditor', '2999-01-01T00:00:00Z')`)
	if _, err := SetRole(t.Context(), url, "ada@example.com", "user"); err != nil {
		t.Fatal(err)
	}
	got := rows(t, url, `SELECT role || ' ' || (at - '2999-01-01T00:00:00Z') FROM revocations`)
	if want := []string{"user 00:00:00.000001"}; !slices.Equal(got, want) {
		t.Errorf("revocations: got %q, want %q", got, want)
	}
}

func TestAnOperatorChangesTheRoleOfAnAccount(t *testing.T) {
	t.Parallel()
	url, exec := database(t)
	if _, err := Role(t.Context(), url, "a@example.com"); err == nil || !strings.Contains(err.Error(), "taskwire status") {
		t.Errorf("before the migration: got %v, want what to wait for", err)
	}
	migrations := postgres.Set{Name: "tasks", FS: os.DirFS("../../../../services/task-api/internal/postgres/migrations")}
	if err := postgres.Migrate(t.Context(), url, slog.New(slog.DiscardHandler), migrations, postgres.Set{Name: "outbox", FS: outbox.Migrations}); err != nil {
		t.Fatal(err)
	}
	exec(`INSERT INTO users (id, email, name, timezone, password_hash, created_at, updated_at) VALUES
		('` + ada + `', 'ada@example.com', '', 'UTC', 'hash', now(), now()),
		('01890a5d-ac96-774b-bcce-b302099a8058', 'bob@example.com', '', 'UTC', 'hash', now(), now()),
		('01890a5d-ac96-574b-bcce-b302099a8059', 'ada@example.com', '', 'UTC', '', now(), now()),
		('01890a5d-ac96-574b-bcce-b302099a8060', 'eve@example.com', '', 'UTC', '', now(), now());
		INSERT INTO heads (user_id) SELECT id FROM users`)
	for _, c := range []struct{ email, role, was string }{
		{" Ada@Example.com", "auditor", "user"}, {"ada@example.com", "auditor", "auditor"}, {"ada@example.com", "user", "auditor"}, {"ada@example.com", "auditor", "user"},
	} {
		if was, err := SetRole(t.Context(), url, c.email, c.role); err != nil || was != c.was {
			t.Errorf("SetRole(%q, %s): got %q %v, want %s", c.email, c.role, was, err, c.was)
		}
	}
	// Each change has its event, in order, and only the newest role is in force for tokens that are older.
	if got, want := rows(t, url, `SELECT convert_from(data, 'UTF8')::jsonb->>'event_type' || ' ' || (convert_from(data, 'UTF8')::jsonb->>'role') || ' ' || topic || ' ' || key || ' ' || type FROM outbox ORDER BY id`),
		[]string{changed("auditor"), changed("user"), changed("auditor")}; !slices.Equal(got, want) {
		t.Errorf("events: got %q, want %q", got, want)
	}
	if got := rows(t, url, `SELECT kind || ' ' || id || ' ' || user_id || ' ' || role FROM revocations`); !slices.Equal(got, []string{"role " + ada + " " + ada + " auditor"}) {
		t.Errorf("revocations: got %q, want the newest role", got)
	}
	for email, want := range map[string]string{"ada@example.com": "auditor", "bob@example.com": "user"} {
		if role, err := Role(t.Context(), url, email); err != nil || role != want {
			t.Errorf("Role(%s): got %q %v, want %s", email, role, err, want)
		}
	}
	for email, want := range map[string]error{"nobody@example.com": ErrNoUser, "eve@example.com": ErrExternal} {
		if _, err := SetRole(t.Context(), url, email, "auditor"); !errors.Is(err, want) {
			t.Errorf("SetRole(%s): got %v, want %v", email, err, want)
		}
	}
	if _, err := SetRole(t.Context(), url, "bob@example.com", "admin"); err == nil || !strings.Contains(err.Error(), "user, auditor") {
		t.Errorf("SetRole to an unknown role: got %v, want the roles", err)
	}
}

func TestAnUnreachableDatabaseIsNotNamedWithItsAddress(t *testing.T) {
	t.Parallel()
	_, err := Role(t.Context(), "postgres://tasks_owner:s3cret@127.0.0.1:1/tasks", "a@example.com")
	if err == nil || strings.Contains(err.Error(), "s3cret") || !strings.Contains(err.Error(), "taskwire up") {
		t.Errorf("got %v, want what to do, and no password", err)
	}
}
