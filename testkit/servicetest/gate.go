package servicetest

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/taskwire/taskwire/pkg/platform/postgres"
	"github.com/taskwire/taskwire/testkit/pgtest"
)

// HoldMigration keeps services from migrating a database, as another replica does that migrates for a long time. It
// returns a function that lets them migrate.
func HoldMigration(t testing.TB, db *pgtest.DB) (release func()) {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, db.AdminURL)
	if err != nil {
		t.Fatal(err)
	}
	release = sync.OnceFunc(func() { _ = conn.Close(ctx) }) // the lock ends with its session
	t.Cleanup(release)
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1)", postgres.MigrationLock); err != nil {
		t.Fatal(err)
	}
	return release
}

// CheckGate checks a service whose migration is held back: each public request is answered with 503 and Retry-After,
// and no request to the Dapr side is acknowledged. After release the same requests are answered with 200.
func CheckGate(t testing.TB, s *Service, release func(), public, app []Request) {
	t.Helper()
	for _, r := range public {
		got := s.Do(r)
		if got.Status != http.StatusServiceUnavailable || got.Header.Get("Retry-After") == "" || !strings.HasPrefix(got.Header.Get("Content-Type"), "application/problem+json") {
			t.Errorf("before the migration: %s %s: got %d %v %s, want 503, Retry-After and a problem document", r.Method, r.URL, got.Status, got.Header, got.Body)
		}
	}
	for _, r := range app {
		if got := s.Do(r); got.Status != http.StatusServiceUnavailable {
			t.Errorf("before the migration: %s %s: got %d %s, want 503", r.Method, r.URL, got.Status, got.Body)
		}
	}
	s.Await(s.Public+"/readyz", http.StatusServiceUnavailable, `"database":"unavailable"`)
	s.Await(s.App+"/healthz", http.StatusServiceUnavailable)
	release()
	s.Await(s.App+"/healthz", http.StatusOK)
	for _, r := range slices.Concat(public, app) {
		if got := s.Do(r); got.Status != http.StatusOK {
			t.Errorf("after the migration: %s %s: got %d %s, want 200", r.Method, r.URL, got.Status, got.Body)
		}
	}
}
