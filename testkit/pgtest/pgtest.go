// Package pgtest gives each test its own real Postgres database.
//
// It uses the server at TEST_DATABASE_URL (a superuser's address) when that is set. Otherwise the first test of a
// process starts a private server. That server ends with the process, also when the process crashes and without Main.
//
// The databases of one role and set of migrations are copies of one migrated template, so a copy takes milliseconds.
// The roles of a service (tasks_owner, tasks_app and so on) are created when they are missing. A server at
// TEST_DATABASE_URL should be for tests only: a role of such a name that cannot log in with this package's password gets
// that password.
//
// Tests that use New may call t.Parallel: no two of them share a database.
package pgtest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"gorm.io/gorm"

	"github.com/taskwire/taskwire/pkg/platform/postgres"
)

const (
	// setupTimeout bounds the creation of a database, with the server's start and the template, on a busy machine.
	setupTimeout = 3 * time.Minute
	// maxConns is enough for a test's concurrent writers. With it 20 parallel tests stay below max_connections.
	maxConns = 8
	// staleAfter is the age after which a database of a killed test process on a shared server is dropped.
	staleAfter = time.Hour

	databasePrefix = "pgtest_"
	templatePrefix = "pgtemplate_"
)

// DB is one test's database.
type DB struct {
	Gorm     *gorm.DB // as the runtime role
	OwnerURL string   // as the role that migrates
	AppURL   string   // as the runtime role
	AdminURL string   // as the superuser
	Name     string
}

var databases atomic.Int64

// New creates a migrated database of the named service ("tasks", "audit", "notifications"). It is dropped after the test.
// The service's owner role migrates the sets in the given order.
func New(t testing.TB, role string, sets ...postgres.Set) *DB {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), setupTimeout)
	defer cancel()
	admin, err := server(ctx)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	template, err := template(ctx, admin, role, sets)
	if err != nil {
		t.Fatalf("pgtest: template of %s: %v", role, err)
	}
	name := fmt.Sprintf("%s%d_%d_%d", databasePrefix, time.Now().Unix(), os.Getpid(), databases.Add(1))
	err = exec(ctx, admin, fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s OWNER %s_owner", name, template, role))
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), setupTimeout)
		defer cancel()
		// FORCE: the test may still hold connections.
		if err := exec(ctx, admin, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil && !postgres.IsUnavailable(err) {
			t.Errorf("pgtest: %v", err)
		}
	})
	db := &DB{
		Name: name, AdminURL: address(admin, name, ""),
		OwnerURL: address(admin, name, role+"_owner"), AppURL: address(admin, name, role+"_app"),
	}
	db.Gorm, err = postgres.Open(ctx, postgres.Config{URL: db.AppURL, MaxConns: maxConns, AppName: "pgtest"})
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() { _ = postgres.Close(db.Gorm) })
	return db
}

// ServerURL returns the superuser's address of the server that the tests of this process use.
func ServerURL(t testing.TB) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), setupTimeout)
	defer cancel()
	admin, err := server(ctx)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	return admin
}

// address returns the address of a database for role, or for the superuser when role is empty.
func address(admin, database, role string) string {
	u, err := url.Parse(admin)
	if err != nil { // server has validated it
		panic(err)
	}
	u.Path = "/" + database
	if role != "" {
		u.User = url.UserPassword(role, password(admin, role))
	}
	return u.String()
}

// password is the same in all processes that use the server, and cannot be guessed.
func password(admin, role string) string {
	sum := sha256.Sum256([]byte(admin + " " + role))
	return hex.EncodeToString(sum[:])
}

var templates = struct {
	sync.Mutex
	ready map[string]bool
}{ready: map[string]bool{}}

// template returns the name of a database with the migrated sets. It is created once for a server.
func template(ctx context.Context, admin, role string, sets []postgres.Set) (string, error) {
	sum, err := fingerprint(role, sets)
	if err != nil {
		return "", err
	}
	name := templatePrefix + role + "_" + sum
	templates.Lock()
	defer templates.Unlock()
	if templates.ready[name] {
		return name, nil
	}
	conn, err := pgx.Connect(ctx, admin)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close(ctx) }()
	// On a shared server the tests of another package may create the same template. The lock ends with the connection.
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock(hashtext('taskwire pgtest'))"); err != nil {
		return "", err
	}
	if err := ensureRoles(ctx, conn, admin, role); err != nil {
		return "", err
	}
	if err := dropStale(ctx, conn); err != nil {
		return "", err
	}
	var whole bool
	err = conn.QueryRow(ctx, "SELECT count(*) > 0 FROM pg_database WHERE datname = $1 AND datistemplate", name).Scan(&whole)
	if err != nil {
		return "", err
	}
	if !whole {
		if err := makeTemplate(ctx, conn, admin, name, role, sets); err != nil {
			return "", err
		}
	}
	templates.ready[name] = true
	return name, nil
}

func makeTemplate(ctx context.Context, conn *pgx.Conn, admin, name, role string, sets []postgres.Set) error {
	for _, sql := range []string{
		"DROP DATABASE IF EXISTS " + name + " WITH (FORCE)", // incomplete, of a killed process
		fmt.Sprintf("CREATE DATABASE %s OWNER %s_owner", name, role),
	} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
	quiet := slog.New(slog.DiscardHandler)
	if err := postgres.Migrate(ctx, address(admin, name, role+"_owner"), quiet, sets...); err != nil {
		return err
	}
	_, err := conn.Exec(ctx, "ALTER DATABASE "+name+" WITH IS_TEMPLATE true ALLOW_CONNECTIONS false")
	return err
}

// ensureRoles creates the owner and the runtime role of a service. An existing role that cannot log in gets its password.
func ensureRoles(ctx context.Context, conn *pgx.Conn, admin, service string) error {
	for _, role := range []string{service + "_owner", service + "_app"} {
		var there bool
		if err := conn.QueryRow(ctx, "SELECT count(*) > 0 FROM pg_roles WHERE rolname = $1", role).Scan(&there); err != nil {
			return err
		}
		verb := "CREATE"
		if there {
			login, err := pgx.Connect(ctx, address(admin, conn.Config().Database, role))
			if err == nil {
				_ = login.Close(ctx)
				continue
			}
			verb = "ALTER"
		}
		sql := fmt.Sprintf("%s ROLE %s LOGIN PASSWORD '%s'", verb, pgx.Identifier{role}.Sanitize(), password(admin, role))
		if _, err := conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("role %s: %w", role, err)
		}
	}
	return nil
}

// dropStale drops old test databases of killed processes. A database's name holds its creation time.
func dropStale(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, "SELECT datname FROM pg_database WHERE starts_with(datname, $1)", databasePrefix)
	if err != nil {
		return err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, name := range names {
		stamp, _, _ := strings.Cut(strings.TrimPrefix(name, databasePrefix), "_")
		made, err := strconv.ParseInt(stamp, 10, 64)
		if err != nil || time.Since(time.Unix(made, 0)) < staleAfter {
			continue
		}
		if _, err := conn.Exec(ctx, "DROP DATABASE IF EXISTS "+pgx.Identifier{name}.Sanitize()+" WITH (FORCE)"); err != nil {
			return err
		}
	}
	return nil
}

// fingerprint returns a hash of role and all migrations.
func fingerprint(role string, sets []postgres.Set) (string, error) {
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "%s\n", role)
	for _, s := range sets {
		if s.FS == nil {
			return "", fmt.Errorf("set %s has no files", s.Name)
		}
		_, _ = fmt.Fprintf(h, "set %s\n", s.Name)
		err := fs.WalkDir(s.FS, ".", func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := fs.ReadFile(s.FS, path)
			_, _ = fmt.Fprintf(h, "%s %d\n%s", path, len(text), text)
			return err
		})
		if err != nil {
			return "", fmt.Errorf("set %s: %w", s.Name, err)
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:16], nil
}

func exec(ctx context.Context, url, sql string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, sql); err != nil {
		return fmt.Errorf("%s: %w", sql, err)
	}
	return nil
}
