package postgres_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"

	localpg "github.com/taskwire/taskwire/local/postgres"
	"github.com/taskwire/taskwire/pkg/platform/postgres"
	"github.com/taskwire/taskwire/testkit/pgtest"
)

func TestIsUnavailableByKind(t *testing.T) {
	t.Parallel()
	code := func(c string) error { return fmt.Errorf("create task: %w", &pgconn.PgError{Code: c}) }
	for name, tc := range map[string]struct {
		err  error
		want bool
	}{
		"nil":                          {nil, false},
		"connection failure":           {code("08006"), true},
		"admin shutdown":               {code("57P01"), true},
		"crash shutdown":               {code("57P02"), true},
		"starting up":                  {code("57P03"), true},
		"database dropped":             {code("57P04"), false},
		"statement timeout":            {code("57014"), true},
		"too many connections":         {code("53300"), true},
		"disk full":                    {code("53100"), true},
		"idle in transaction":          {code("25P03"), true},
		"standby":                      {code("25006"), true},
		"unique violation":             {code("23505"), false},
		"syntax error":                 {code("42601"), false},
		"wrong password":               {code("28P01"), false},
		"dialling":                     {&pgconn.ConnectError{}, true},
		"deadline":                     {fmt.Errorf("x: %w", context.DeadlineExceeded), true},
		"cancelled by the caller":      {fmt.Errorf("x: %w", context.Canceled), false},
		"bad connection":               {driver.ErrBadConn, true},
		"connection done":              {sql.ErrConnDone, true},
		"cut off":                      {fmt.Errorf("x: %w", io.ErrUnexpectedEOF), true},
		"network":                      {&net.OpError{Op: "read", Err: syscall.ECONNRESET}, true},
		"closed socket":                {net.ErrClosed, true},
		"record not found":             {gorm.ErrRecordNotFound, false},
		"an error of the domain":       {errors.New("title is empty"), false},
		"transaction ended already":    {sql.ErrTxDone, false},
		"serialization, but retryable": {code("40001"), false},
	} {
		if got := postgres.IsUnavailable(tc.err); got != tc.want {
			t.Errorf("%s: IsUnavailable(%v) = %v, want %v", name, tc.err, got, tc.want)
		}
	}
}

func TestIsUniqueViolation(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("x: %w", &pgconn.PgError{Code: "23505", ConstraintName: "users_email"})
	for constraint, want := range map[string]bool{"": true, "users_email": true, "users_pkey": false} {
		if got := postgres.IsUniqueViolation(err, constraint); got != want {
			t.Errorf("IsUniqueViolation(_, %q) = %v, want %v", constraint, got, want)
		}
	}
	if postgres.IsUniqueViolation(&pgconn.PgError{Code: "23503"}, "") || postgres.IsUniqueViolation(nil, "") {
		t.Error("another violation, or none, counts as a duplicate")
	}
}

func TestErrorsOfARunningServer(t *testing.T) {
	t.Parallel()
	pg := pgtest.New(t, "tasks")
	db := open(t, postgres.Config{URL: pg.AppURL, StatementTimeout: 100 * time.Millisecond})
	if err := db.Exec("SELECT pg_sleep(30)").Error; !postgres.IsUnavailable(err) {
		t.Errorf("a statement over its time = %v, want unavailable", err)
	}
	if err := db.Exec("SELECT nonsense").Error; err == nil || postgres.IsUnavailable(err) {
		t.Errorf("nonsense = %v, want an error that is not unavailability", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancelled := make(chan error, 1)
	go func() { cancelled <- pg.Gorm.WithContext(ctx).Exec("SELECT pg_sleep(30)").Error }()
	waitForQuery(t, pg.AdminURL, "SELECT pg_sleep(30)")
	cancel()
	if err := <-cancelled; !errors.Is(err, context.Canceled) || postgres.IsUnavailable(err) {
		t.Errorf("a cancelled caller = %v, want its cancellation, not unavailability", err)
	}
	wrong, err := url.Parse(pg.AppURL)
	if err != nil {
		t.Fatal(err)
	}
	wrong.User = url.UserPassword("tasks_app", "guess")
	if err := postgres.Ping(t.Context(), open(t, postgres.Config{URL: wrong.String()})); err == nil || postgres.IsUnavailable(err) {
		t.Errorf("a wrong password = %v, want an error that is not unavailability", err)
	}
}

// waitForQuery returns when the server at url runs the query.
func waitForQuery(t *testing.T, url, query string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	for deadline := time.Now().Add(patience); ; time.Sleep(poll) {
		var runs bool
		err := conn.QueryRow(t.Context(), "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE state = 'active' AND query = $1)", query).Scan(&runs)
		switch {
		case err != nil:
			t.Fatal(err)
		case runs:
			return
		case time.Now().After(deadline):
			t.Fatalf("the query %q does not run", query)
		}
	}
}

// TestAServerThatRestartsIsUnavailableMeanwhile: every query fails as unavailable meanwhile, and the same handle works
// again afterwards.
func TestAServerThatRestartsIsUnavailableMeanwhile(t *testing.T) {
	t.Parallel()
	for name, sig := range map[string]syscall.Signal{"shutdown": syscall.SIGINT, "kill": syscall.SIGKILL} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			dir := t.TempDir()
			s, err := localpg.Start(ctx, localpg.Config{DataDir: dir})
			if err != nil {
				t.Fatal(err)
			}
			cfg, err := pgx.ParseConfig(s.URL())
			if err != nil {
				t.Fatal(err)
			}
			db := open(t, postgres.Config{URL: s.URL(), MaxConns: 4})
			if err := db.Exec("SELECT 1").Error; err != nil {
				t.Fatal(err)
			}
			// One transaction is open and one query runs when the server stops.
			tx := db.Begin()
			if err := tx.Exec("SELECT 1").Error; err != nil {
				t.Fatal(err)
			}
			running := make(chan error, 1)
			go func() { running <- db.Exec("SELECT pg_sleep(4)").Error }()
			waitForQuery(t, s.URL(), "SELECT pg_sleep(4)")
			if err := syscall.Kill(s.PID(), sig); err != nil {
				t.Fatal(err)
			}
			for what, err := range map[string]error{
				"the running query":    <-running,
				"the open transaction": errors.Join(tx.Exec("SELECT 1").Error, tx.Commit().Error),
			} {
				if err != nil && !postgres.IsUnavailable(err) {
					t.Errorf("%s = %v, want unavailable", what, err)
				}
			}
			_ = s.Stop(ctx)
			for range 6 { // uses each of the pool's dead connections, and dials
				if err := db.Exec("SELECT 1").Error; !postgres.IsUnavailable(err) {
					t.Errorf("a query meanwhile = %v, want unavailable", err)
				}
			}
			if s, err = localpg.Start(ctx, localpg.Config{DataDir: dir, Port: int(cfg.Port)}); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = s.Stop(context.WithoutCancel(ctx)) }()
			if err := postgres.Ping(ctx, db); err != nil {
				t.Errorf("Ping after the restart: %v", err)
			}
			if err := db.Exec("SELECT 1").Error; err != nil {
				t.Errorf("a query after the restart: %v", err)
			}
		})
	}
}
