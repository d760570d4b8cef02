// Package users reads and changes the roles of accounts, for an operator. It works in the database of the task API, as its
// owner. The API has no route for it, so no token can make an auditor.
//
// Promises: it reads or changes the role of exactly one account, which its e-mail identifies. An error says what to do, and
// never contains the address of the database, which has a password.
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

// Roles are the roles that an account can have.
var Roles = role.All()

const (
	// timeout bounds a command when the database does not answer.
	timeout = 10 * time.Second
	// codeNoTable is the code of Postgres for a table that does not exist: the task API has not migrated yet.
	codeNoTable = "42P01"
)

var (
	// ErrNoUser says that no account with a password has the e-mail.
	ErrNoUser = errors.New("there is no account with this e-mail")
	// ErrExternal says that the account belongs to an OIDC issuer, so the database has no role for it.
	ErrExternal = errors.New("the account belongs to an OIDC issuer: its role comes with its tokens (AUTH_ROLE_CLAIM)")
)

// Role returns the role of the account with the e-mail. The error is ErrNoUser or ErrExternal.
func Role(ctx context.Context, url, email string) (role string, err error) {
	err = connected(ctx, url, func(ctx context.Context, conn *pgx.Conn) error {
		role, _, err = find(ctx, conn, normalize(email))
		return err
	})
	return role, err
}

// SetRole changes the role of the account and returns the previous one. The change takes effect with the next access token,
// after at most 15 minutes. The error is ErrNoUser or ErrExternal.
func SetRole(ctx context.Context, url, email, role string) (was string, err error) {
	if !slices.Contains(Roles, role) {
		return "", fmt.Errorf("%q is not a role: use one of %s", role, strings.Join(Roles, ", "))
	}
	err = connected(ctx, url, func(ctx context.Context, conn *pgx.Conn) error {
		return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			var id string
			if was, id, err = find(ctx, tx, normalize(email)); err != nil || was == role {
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

// find returns role and id of the account that has the e-mail and a password, and locks its row if q is a transaction.
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

func normalize(email string) string { return strings.ToLower(strings.TrimSpace(email)) }

// connected runs fn with a connection to the database at url.
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
