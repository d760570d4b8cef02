package postgres

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/taskwire/taskwire/pkg/platform/transient"
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

// Handlers and subscribers judge this package's errors through package transient.
func init() { transient.Register(classify) }

// IsUnavailable reports whether the database could not serve err's call and the same call can succeed later: no
// connection, a server that is starting, stopping or out of resources, a time limit. It is false for a call that the
// caller gave up (context.Canceled) and for a refused password.
//
// It does not tell whether the call had its effect: a connection lost during COMMIT leaves that open.
func IsUnavailable(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) {
		return false
	}
	if unavailable, known := classify(err); known {
		return unavailable
	}
	// A reached deadline means no free connection, or no answer, within the caller's time.
	return errors.Is(err, context.DeadlineExceeded) || transient.ConnectionLost(err)
}

// classify is the transient.Classifier of the driver's errors.
func classify(err error) (unavailable, known bool) {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return isUnavailableCode(pg.Code), true
	}
	var connect *pgconn.ConnectError
	// SafeToRetry: the connection was found closed before anything was sent.
	unavailable = errors.As(err, &connect) || pgconn.SafeToRetry(err)
	return unavailable, unavailable
}

func isUnavailableCode(code string) bool {
	switch code {
	case codeDropped:
		return false
	case codeCanceled, codeIdleInTx, codeReadOnly, codeLockTimeout:
		return true
	}
	return strings.HasPrefix(code, classConnection) || strings.HasPrefix(code, classResources) || strings.HasPrefix(code, classOperator)
}

// IsUniqueViolation reports whether err is a duplicate for the named constraint or index ("" = any).
func IsUniqueViolation(err error, constraint string) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == codeUnique && (constraint == "" || pg.ConstraintName == constraint)
}

// IsRefused reports whether the database refused the values of err's statement. The same statement then fails again;
// other statements can succeed.
func IsRefused(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (strings.HasPrefix(pg.Code, classData) || strings.HasPrefix(pg.Code, classConstraint))
}
