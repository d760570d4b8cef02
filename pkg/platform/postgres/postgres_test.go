package postgres_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/taskwire/taskwire/pkg/platform/postgres"
	"github.com/taskwire/taskwire/testkit/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const (
	patience = time.Minute // before a test fails because an awaited event does not happen
	poll     = 5 * time.Millisecond
	// nowhere is an address that refuses connections: port 1 is reserved.
	nowhere = "postgres://u:secret@127.0.0.1:1/d?sslmode=disable"
)

func open(t *testing.T, cfg postgres.Config) *gorm.DB {
	t.Helper()
	db, err := postgres.Open(t.Context(), cfg)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { _ = postgres.Close(db) })
	return db
}

func TestOpenDoesNotDialAndPingDoes(t *testing.T) {
	t.Parallel()
	db := open(t, postgres.Config{URL: nowhere})
	err := postgres.Ping(t.Context(), db)
	if !postgres.IsUnavailable(err) {
		t.Errorf("Ping without a server = %v, want an unavailable database", err)
	}
	if postgres.URL(db) != nowhere {
		t.Errorf("URL = %q, want the URL of Open", postgres.URL(db))
	}
}

func TestABadURLIsRefusedWithoutItsPassword(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"postgres://u:secret@host:notaport/d", "host=x password=secret port=y"} {
		_, err := postgres.Open(t.Context(), postgres.Config{URL: url})
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("Open(%q) = %v, want an error without the password", url, err)
		}
	}
}

func TestSessionsAreBoundedAndNamed(t *testing.T) {
	t.Parallel()
	pg := pgtest.New(t, "tasks")
	db := open(t, postgres.Config{URL: pg.AppURL, StatementTimeout: 1500 * time.Millisecond, AppName: "some-service"})
	for setting, want := range map[string]string{
		"statement_timeout": "1500ms", "idle_in_transaction_session_timeout": "3s", "application_name": "some-service",
	} {
		var got string
		if err := db.Raw("SELECT current_setting(?)", setting).Scan(&got).Error; err != nil || got != want {
			t.Errorf("%s = %q, %v; want %q", setting, got, err, want)
		}
	}
}

func TestTimesComeBackInUTC(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t, "tasks").Gorm
	var got time.Time
	if err := db.Raw("SELECT '2026-03-29 01:30:00+05'::timestamptz").Row().Scan(&got); err != nil {
		t.Fatal(err)
	}
	if want := time.Date(2026, 3, 28, 20, 30, 0, 0, time.UTC); got != want { // and not Equal: the location must be UTC too
		t.Errorf("time = %v, want %v", got, want)
	}
}

func TestThePoolIsBounded(t *testing.T) {
	t.Parallel()
	pg := pgtest.New(t, "tasks")
	db := open(t, postgres.Config{URL: pg.AppURL, MaxConns: 1})
	tx := db.Begin()
	defer tx.Rollback()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	err := db.WithContext(ctx).Exec("SELECT 1").Error
	if !errors.Is(err, context.DeadlineExceeded) || !postgres.IsUnavailable(err) {
		t.Errorf("a query beyond the pool = %v, want an exceeded deadline, which counts as unavailable", err)
	}
}
