package servicetest

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/taskwire/taskwire/testkit/pgtest"
)

// HoldMigration makes a migrated database look as if the last migration of a set had not run yet. It returns a function
// that makes it migrated again.
func HoldMigration(t testing.TB, db *pgtest.DB, set string) (release func()) {
	t.Helper()
	version := pgx.Identifier{"goose_" + set}.Sanitize()
	exec := func(sql string) {
		t.Helper()
		ctx := context.Background()
		conn, err := pgx.Connect(ctx, db.OwnerURL)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close(ctx) }()
		if tag, err := conn.Exec(ctx, sql); err != nil || tag.RowsAffected() != 1 {
			t.Fatalf("%s: got %v (%v), want one row", sql, tag, err)
		}
	}
	exec(`UPDATE ` + version + ` SET version_id = -version_id WHERE version_id = (SELECT max(version_id) FROM ` + version + `)`)
	return sync.OnceFunc(func() { exec(`UPDATE ` + version + ` SET version_id = -version_id WHERE version_id < 0`) })
}

// awaitSessions waits until the service knows which sessions have ended. Its other parts may be away.
func (s *Service) awaitSessions() {
	s.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(pollEvery) {
		answer := s.Get(s.Public + "/readyz")
		if strings.Contains(answer.Body, `"sessions":"ok"`) {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("GET /readyz: got %s, want the part sessions to be ok", answer.Body)
		}
	}
}

// CheckGate checks a service whose database is not migrated: each public request is answered with 503 and Retry-After,
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
	s.Await(s.Public+"/readyz", http.StatusServiceUnavailable, `"database":"not migrated yet"`)
	s.Await(s.App+"/healthz", http.StatusServiceUnavailable)
	release()
	s.Await(s.App+"/healthz", http.StatusOK)
	s.awaitSessions()
	for _, r := range slices.Concat(public, app) {
		if got := s.Do(r); got.Status != http.StatusOK {
			t.Errorf("after the migration: %s %s: got %d %s, want 200", r.Method, r.URL, got.Status, got.Body)
		}
	}
}
