// Package users reads and changes the roles of accounts, for an operator. It works in the database of the task API, as its
// owner. The API has no route for it, so no token can make an auditor.
//
// Promises: it reads or changes the role of exactly one account, which its e-mail identifies. A new role, its event and what refuses
// the tokens of the earlier role are committed together. An error says what to do, and never contains the address of the database,
// which has a password.
package users

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/outbox"
	"github.com/taskwire/taskwire/pkg/platform/role"
)

// Roles are the roles that an account can have.
var Roles = role.All()

const (
	// timeout bounds a command when the database does not answer.
	timeout = 10 * time.Second
	// codeNoTable is the code of Postgres for a table that does not exist: the task API has not migrated yet.
	codeNoTable = "42P01"
	// actor is who changed a role, in the event.
	actor = "taskwire user role"
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

// SetRole changes the role of the account and returns the previous one. The change takes effect in every service within 5 s, also
// for access tokens that name the previous role. The error is ErrNoUser or ErrExternal.
func SetRole(ctx context.Context, url, email, role string) (was string, err error) {
	if !slices.Contains(Roles, role) {
		return "", fmt.Errorf("%q is not a role: use one of %s", role, strings.Join(Roles, ", "))
	}
	err = connected(ctx, url, func(ctx context.Context, conn *pgx.Conn) error {
		return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			_, id, err := find(ctx, tx, normalize(email))
			if err != nil {
				return err
			}
			// The lock of the service's own writes, which the order of the user's events needs.
			if _, err := tx.Exec(ctx, `SELECT FROM heads WHERE user_id = $1 FOR NO KEY UPDATE`, id); err != nil {
				return err
			}
			err = tx.QueryRow(ctx, `SELECT role FROM users WHERE id = $1 FOR UPDATE`, id).Scan(&was)
			if errors.Is(err, pgx.ErrNoRows) { // deleted a moment ago
				return ErrNoUser
			}
			if err != nil || was == role {
				return err
			}
			return changeRole(ctx, tx, id, role)
		})
	})
	return was, err
}

// changeRole writes the role, the revocation of what tokens say about it, and the event. Their time is that of the database, and
// after the one of an earlier change: of two changes of a role, services keep the later one.
func changeRole(ctx context.Context, tx pgx.Tx, id, role string) error {
	var now time.Time
	err := tx.QueryRow(ctx, `SELECT greatest(clock_timestamp(),
		(SELECT at + interval '1 microsecond' FROM revocations WHERE kind = 'role' AND id = $1))`, id).Scan(&now)
	if err != nil {
		return fmt.Errorf("read the time: %w", err)
	}
	now = now.UTC()
	if _, err := tx.Exec(ctx, `UPDATE users SET role = $1, updated_at = $3 WHERE id = $2`, role, id, now); err != nil {
		return fmt.Errorf("change the role: %w", err)
	}
	_, err = tx.Exec(ctx, `INSERT INTO revocations (kind, id, user_id, role, at) VALUES ('role', $1, $1, $2, $3)
		ON CONFLICT (kind, id) DO UPDATE SET role = excluded.role, at = excluded.at, added_at = excluded.added_at`, id, role, now)
	if err != nil {
		return fmt.Errorf("revoke the earlier role: %w", err)
	}
	eventID, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("make event id: %w", err)
	}
	e := events.AccountEvent{
		EventID: eventID.String(), SchemaVersion: events.SchemaVersion, EventType: events.AccountRoleChanged, UserID: id,
		Timestamp: now, Actor: actor, Role: role,
	}
	data, err := e.Encode()
	if err != nil {
		return fmt.Errorf("make %s: %w", e.Name(), err)
	}
	return outbox.Append(ctx, tx, outbox.Message{Topic: e.Topic(), Key: e.Key(), EventID: e.ID(), Type: e.Name(), Subject: e.Subject(), Data: data})
}

type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// find returns role and id of the account that has the e-mail and a password.
func find(ctx context.Context, q querier, email string) (role, id string, err error) {
	rows, err := q.Query(ctx, `SELECT id::text AS id, role, password_hash <> '' AS own FROM users WHERE email = $1`, email)
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
