package httpapi

import (
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/pkg/platform/outbox"
	"github.com/taskwire/taskwire/services/task-api/internal/postgres"
	"github.com/taskwire/taskwire/services/task-api/internal/publish"
	"github.com/taskwire/taskwire/services/task-api/internal/tasks"
	"github.com/taskwire/taskwire/testkit/pgtest"
)

// withQuotas returns a rig with the given quotas.
func withQuotas(t *testing.T, q Quotas) *rig {
	t.Helper()
	db := pgtest.New(t, "tasks", migrationSets()...)
	return newRigOn(t, db, db.Gorm, 0, func(c *Config) { c.Quotas = q })
}

func TestAQuotaHasAClearAnswer(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t, "tasks", migrationSets()...)
	r := newRigOn(t, db, db.Gorm, 0, func(c *Config) {
		log := slog.New(slog.DiscardHandler)
		c.Tasks = tasks.New(postgres.New(db.Gorm, outbox.New(db.Gorm, log), time.Now), publish.New(log), time.Now, 1)
	})
	u := r.user()
	u.want(http.StatusCreated, nil, "POST", "/api/v1/tasks", `{"title":"1"}`)
	w := u.do("POST", "/api/v1/tasks", `{"title":"2"}`)
	if w.status != http.StatusForbidden || !strings.Contains(w.body, `"urn:taskwire:problem:quota-exceeded"`) || !strings.Contains(w.body, "Delete tasks") {
		t.Errorf("got %d %s, want 403 quota-exceeded", w.status, w.body)
	}
}

func TestWritesAreCountedByAccount(t *testing.T) {
	t.Parallel()
	r := withQuotas(t, Quotas{Writes: 10})
	u, other := r.user(), r.user()
	create := func(c *client) int { return c.do("POST", "/api/v1/tasks", `{"title":"t"}`).status }
	for n := range 4 {
		if got := create(u); got != http.StatusCreated {
			t.Fatalf("write %d: got %d", n+1, got)
		}
	}
	batch := `{"operations":[` + strings.Repeat(`{"op":"create","task":{"title":"t"}},`, 5) + `{"op":"create","task":{"title":"t"}}]}`
	u.want(http.StatusOK, nil, "POST", "/api/v1/tasks:batch", batch) // six, ten in all
	w := u.do("POST", "/api/v1/tasks", `{"title":"t"}`)
	wait, err := strconv.Atoi(w.header.Get("Retry-After"))
	if w.status != http.StatusTooManyRequests || err != nil || wait < 1 || wait > 6 || !strings.Contains(w.body, "10 writes in a minute") {
		t.Errorf("the eleventh: got %d, Retry-After %d (%v), %s, want 429 after 6 s at most", w.status, wait, err, w.body)
	}
	u.want(http.StatusOK, nil, "GET", "/api/v1/tasks", "")
	if got := create(other); got != http.StatusCreated {
		t.Errorf("another account: got %d, want 201", got)
	}
	if w := other.do("POST", "/api/v1/tasks:batch", `{"operations":[`+strings.Repeat(`{"op":"create","task":{"title":"t"}},`, 11)+`{"op":"create","task":{"title":"t"}}]}`); w.status != http.StatusTooManyRequests {
		t.Errorf("a batch of more than is left: got %d, want 429", w.status)
	}
}

// A runaway script must not keep its owner from ending it.
func TestTheOwnerStopsAScriptThatUsesUpTheWrites(t *testing.T) {
	t.Parallel()
	r := withQuotas(t, Quotas{Writes: 2})
	u, s := r.registered("a@example.com")
	script, made := u.newToken(`["write"]`)
	for script.do("POST", "/api/v1/tasks", `{"title":"t"}`).status == http.StatusCreated {
	}
	u.wantProblem(http.StatusTooManyRequests, "", "POST", "/api/v1/me/tokens", `{"name":"other","scopes":["read"]}`)
	u.want(http.StatusNoContent, nil, "DELETE", "/api/v1/me/tokens/"+made.ID, "")
	u.want(http.StatusNoContent, nil, "DELETE", "/api/v1/me/tokens", "")
	u.want(http.StatusNoContent, nil, "DELETE", "/api/v1/me/sessions", "")
	u.want(http.StatusOK, &s, "POST", "/api/v1/me/password", `{"current_password":"correct horse","new_password":"battery staple"}`)
}

func TestImportsAreCountedByAccount(t *testing.T) {
	t.Parallel()
	r := withQuotas(t, Quotas{Imports: 2})
	u := r.user()
	for range 2 {
		u.want(http.StatusOK, nil, "POST", "/api/v1/import?format=jsonl", `{"title":"t"}`)
	}
	if w := u.do("POST", "/api/v1/import?format=jsonl", `{"title":"t"}`); w.status != http.StatusTooManyRequests || !strings.Contains(w.body, "2 imports in an hour") {
		t.Errorf("the third: got %d %s, want 429", w.status, w.body)
	}
}

// A quota comes back little by little, and a single request of more than the whole quota needs a whole period.
func TestAQuotaComesBack(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	q := newQuota(60, time.Minute, "writes in a minute", func() time.Time { return now })
	waits := func(n int) time.Duration {
		err := q.take("u", n)
		if err == nil {
			return 0
		}
		return err.(*httpx.Error).RetryAfter //nolint:errorlint // take returns no other error
	}
	if got := waits(100); got != 0 {
		t.Errorf("more than the quota at the beginning: got a wait of %s, want none", got)
	}
	if got := waits(1); got != time.Second {
		t.Errorf("one more: got a wait of %s, want 1 s", got)
	}
	now = now.Add(time.Second)
	if got := waits(1); got != 0 {
		t.Errorf("a second later: got a wait of %s, want none", got)
	}
	if got := waits(100); got != time.Minute {
		t.Errorf("more than the quota: got a wait of %s, want a whole minute", got)
	}
	var none *quota
	for n := range 1000 {
		if err := none.take(fmt.Sprint(n), 1000); err != nil {
			t.Fatalf("without a quota: %v", err)
		}
	}
}
