// Which databases and roles there are, and their rights.

package provision

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// codeDuplicate are Postgres' error codes where another process makes the same object at the same time.
var codeDuplicate = map[string]bool{"42710": true, "42P04": true, "23505": true}

// Database is one service's database. The owner migrates it, the app role uses it. App is empty where one role does both:
// Dapr's state store makes its own tables.
type Database struct{ Name, Owner, App string }

// Databases returns all databases.
func Databases() []Database {
	return []Database{
		{Name: "tasks", Owner: "tasks_owner", App: "tasks_app"},
		{Name: "audit", Owner: "audit_owner", App: "audit_app"},
		{Name: "notifications", Owner: "notifications_owner", App: "notifications_app"},
		{Name: "dapr_state", Owner: "dapr_state"},
	}
}

// EnsureDatabases makes the databases and their roles on the server at adminURL. The role of adminURL is a superuser or has
// CREATEROLE and CREATEDB. password returns the password of a role.
func EnsureDatabases(ctx context.Context, adminURL string, password func(role string) (string, error)) error {
	conn, err := pgx.Connect(ctx, adminURL)
	if err != nil {
		return fmt.Errorf("connect to Postgres: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var super, role, db bool
	err = conn.QueryRow(ctx, `SELECT rolsuper, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = current_user`).Scan(&super, &role, &db)
	if err != nil {
		return fmt.Errorf("read what the role may do: %w", err)
	}
	if may := super || role && db; !may {
		return fmt.Errorf("the role %q may not create roles and databases: DATABASE_URL has to name a superuser, or a role with CREATEROLE and CREATEDB", conn.Config().User)
	}
	for _, d := range Databases() {
		if err := ensureDatabase(ctx, conn, d, super, password); err != nil {
			return fmt.Errorf("database %s: %w", d.Name, err)
		}
	}
	return nil
}

func ensureDatabase(ctx context.Context, conn *pgx.Conn, d Database, super bool, password func(string) (string, error)) error {
	for _, role := range []string{d.Owner, d.App} {
		if role == "" {
			continue
		}
		secret, err := password(role)
		if err != nil {
			return err
		}
		if err := ensureRole(ctx, conn, role, secret); err != nil {
			return fmt.Errorf("role %s: %w", role, err)
		}
	}
	if !super { // Postgres gives a database only to a role of which its creator is a member
		if _, err := conn.Exec(ctx, "GRANT "+quote(d.Owner)+" TO CURRENT_USER"); err != nil {
			return fmt.Errorf("become a member of %s: %w", d.Owner, err)
		}
	}
	var there bool
	if err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`, d.Name).Scan(&there); err != nil {
		return err
	}
	if !there {
		_, err := conn.Exec(ctx, "CREATE DATABASE "+quote(d.Name)+" OWNER "+quote(d.Owner)+" ENCODING 'UTF8' TEMPLATE template0")
		if err != nil && !duplicate(err) {
			return fmt.Errorf("create it: %w", err)
		}
	}
	// By default every role of the server may connect and make temporary tables.
	grants := "REVOKE ALL ON DATABASE " + quote(d.Name) + " FROM PUBLIC"
	if d.App != "" {
		grants += "; GRANT CONNECT ON DATABASE " + quote(d.Name) + " TO " + quote(d.App)
	}
	if _, err := conn.Exec(ctx, grants); err != nil {
		return fmt.Errorf("set its rights: %w", err)
	}
	return closeSchema(ctx, conn, d)
}

// closeSchema lets only the owner make objects in the schema public. Before Postgres 15 every role may.
func closeSchema(ctx context.Context, admin *pgx.Conn, d Database) error {
	cfg := admin.Config()
	cfg.Database = d.Name
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return fmt.Errorf("connect to it: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var open bool
	if err := conn.QueryRow(ctx, `SELECT has_schema_privilege('public', 'public', 'CREATE')`).Scan(&open); err != nil {
		return fmt.Errorf("read the rights of its schema: %w", err)
	}
	if !open {
		return nil
	}
	_, err = conn.Exec(ctx, "REVOKE CREATE ON SCHEMA public FROM PUBLIC; GRANT CREATE ON SCHEMA public TO "+quote(d.Owner))
	if err != nil {
		return fmt.Errorf("set the rights of its schema: %w", err)
	}
	return nil
}

func ensureRole(ctx context.Context, conn *pgx.Conn, role, secret string) error {
	_, err := conn.Exec(ctx, "CREATE ROLE "+quote(role)+" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE")
	if err != nil && !duplicate(err) {
		return err
	}
	// A password cannot be a parameter of ALTER ROLE, so the server quotes it.
	var alter string
	if err := conn.QueryRow(ctx, `SELECT format('ALTER ROLE %I LOGIN PASSWORD %L', $1::text, $2::text)`, role, secret).Scan(&alter); err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, alter); err != nil {
		return errors.New("its password could not be set") // the server's message may repeat the statement
	}
	return nil
}

// Address returns the address of a role's database on the server at adminURL.
func Address(adminURL, role, password string) (string, error) {
	for _, d := range Databases() {
		if role == d.Owner || role == d.App {
			return URL(adminURL, d.Name, role, password)
		}
	}
	return "", fmt.Errorf("role %s has no database", role)
}

// Passwords reads the roles' passwords from files with one database address each. An error shows no address.
func Passwords(files []string) (map[string]string, error) {
	passwords := map[string]string{}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read an address: %w", err)
		}
		u, err := url.Parse(strings.TrimSpace(string(raw)))
		if err != nil || u.User == nil {
			return nil, fmt.Errorf("%s holds no address of a database", file)
		}
		password, _ := u.User.Password()
		if password == "" {
			return nil, fmt.Errorf("%s holds no address with a password", file)
		}
		passwords[u.User.Username()] = password
	}
	return passwords, nil
}

// URL returns a role's address of a database on the server at adminURL.
func URL(adminURL, database, role, password string) (string, error) {
	u, err := url.Parse(adminURL)
	if err != nil || u.Host == "" {
		return "", errors.New("the address of Postgres is not a URL like postgres://user:password@host:5432/postgres")
	}
	u.Path = "/" + database
	u.User = url.UserPassword(role, password)
	return u.String(), nil
}

func duplicate(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && codeDuplicate[pg.Code]
}

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }
