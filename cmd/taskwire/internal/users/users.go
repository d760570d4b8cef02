// Package users is what an operator does to accounts of the task API, in its database and as that database's owner:
// there is no route for it, so that no token, however powerful, can make an auditor.
//
// Promises: a role is read and changed of exactly one account, which is named by its e-mail; an error says what to do
// and never shows the address of the database, which holds a password.
package users

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/taskwire/taskwire/pkg/platform/role"
)

// Roles are those that an account can have.
var Roles = role.All()

const (
	// timeout bounds a command, so that it does not hang on a database that is away.
	timeout = 10 * time.Second
	// codeNoTable is what Postgres answers before the task API has made its tables.
	codeNoTable = "42P01"
)

var (
	// ErrNoUser says that no account has the e-mail and a password.
	ErrNoUser = errors.New("there is no account with this e-mail")
	// ErrExternal says that the role is not here.
	ErrExternal = errors.New("the account is an OIDC issuer's: its role comes with its tokens (AUTH_ROLE_CLAIM)")
)

// Role reads the role of the account with the e-mail.
func Role(ctx context.Context, url, email string) (role string, err error) {
	err = connected(ctx, url, func(ctx context.Context, conn *pgx.Conn) error {
		role, _, err = find(ctx, conn, normal(email))
		return err
	})
	return role, err
}

// SetRole gives the account a role and returns the one it had. It holds with the next access token, that is after at
// most 15 minutes.
func SetRole(ctx context.Context, url, email, role string) (was string, err error) {
	if !slices.Contains(Roles, role) {
		return "", fmt.Errorf("%q is no role: use one of %s", role, strings.Join(Roles, ", "))
	}
	err = connected(ctx, url, func(ctx context.Context, conn *pgx.Conn) error {
		return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			var id string
			if was, id, err = find(ctx, tx, normal(email)); err != nil || was == role {
				return err
			}
			_, err := tx.Exec(ctx, `UPDATE users SET role = $1, updated_at = now() WHERE id = $2`, role, id)
			return err
		})
	})
	return was, err
}

type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// find reads role and id of the account with the e-mail and a password, and locks it where q is a transaction.
func find(ctx context.Context, q querier, email string) (role, id string, err error) {
	rows, err := q.Query(ctx, `SELECT id::text AS id, role, password_hash <> '' AS own FROM users WHERE email = $1 FOR UPDATE`, email)
	if err != nil {
		return "", "", err
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByName[struct {
		ID, Role string
		Own      bool
	}])
	if err != nil {
		return "", "", err
	}
	for _, u := range all {
		if u.Own {
			return u.Role, u.ID, nil
		}
	}
	if len(all) > 0 {
		return "", "", ErrExternal
	}
	return "", "", ErrNoUser
}

func normal(email string) string { return strings.ToLower(strings.TrimSpace(email)) }

// connected runs fn with a connection.
func connected(ctx context.Context, url string, fn func(ctx context.Context, conn *pgx.Conn) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		var refused *pgconn.PgError
		if errors.As(err, &refused) {
			return fmt.Errorf("the tasks database refused the connection: %s", refused.Message)
		}
		return errors.New("the tasks database does not answer: is Taskwire running? Start it with `taskwire up` (make up)")
	}
	defer conn.Close(context.WithoutCancel(ctx))
	err = fn(ctx, conn)
	var code *pgconn.PgError
	if errors.As(err, &code) && code.Code == codeNoTable {
		return errors.New("the tasks database has no accounts yet: wait until Taskwire is ready (taskwire status)")
	}
	return err
}
