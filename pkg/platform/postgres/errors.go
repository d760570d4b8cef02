package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// Error codes of https://www.postgresql.org/docs/current/errcodes-appendix.html.
const (
	classConnection = "08"    // connection exceptions
	classResources  = "53"    // too many connections, out of memory, disk full
	classData       = "22"    // a value that does not fit its column
	classConstraint = "23"    // a value that breaks a constraint
	classOperator   = "57P"   // shutdown, crash, starting up, database dropped, idle session ended
	codeCanceled    = "57014" // statement_timeout
	codeIdleInTx    = "25P03" // idle_in_transaction_session_timeout
	codeReadOnly    = "25006" // the primary became a standby
	codeLockTimeout = "55P03"
	codeUnique      = "23505"
	codeDropped     = "57P04" // the database is gone: waiting does not bring it back
)

// IsUnavailable tells whether the database could not serve err's call and the same call can succeed later: no
// connection, a server that is starting, stopping or out of resources, a time limit. A call that the caller itself
// gave up (context.Canceled) is not such a case, nor is a refused password.
//
// It does not tell whether the call had its effect: a connection lost during COMMIT leaves that open.
func IsUnavailable(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) {
		return false
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		switch pg.Code {
		case codeDropped:
			return false
		case codeCanceled, codeIdleInTx, codeReadOnly, codeLockTimeout:
			return true
		}
		return strings.HasPrefix(pg.Code, classConnection) ||
			strings.HasPrefix(pg.Code, classResources) ||
			strings.HasPrefix(pg.Code, classOperator)
	}
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) ||
		errors.As(err, &network) ||
		errors.Is(err, context.DeadlineExceeded) || // no free connection, or no answer, within the caller's time
		errors.Is(err, driver.ErrBadConn) ||
		errors.Is(err, sql.ErrConnDone) ||
		errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, io.EOF) ||
		errors.Is(err, net.ErrClosed) ||
		pgconn.SafeToRetry(err) // the connection was found closed before anything was sent
}

// IsUniqueViolation tells whether err is a duplicate for the named constraint or index ("" = any).
func IsUniqueViolation(err error, constraint string) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == codeUnique && (constraint == "" || pg.ConstraintName == constraint)
}

// IsRefused tells whether the database refused the values of err's statement, so that the same statement fails again
// and others need not.
func IsRefused(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (strings.HasPrefix(pg.Code, classData) || strings.HasPrefix(pg.Code, classConstraint))
}
