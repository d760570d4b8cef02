package httpapi

import (
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/taskwire/taskwire/pkg/platform/outbox"
	pg "github.com/taskwire/taskwire/pkg/platform/postgres"
	"github.com/taskwire/taskwire/services/task-api/internal/postgres"
	"github.com/taskwire/taskwire/testkit/pgtest"
	"gorm.io/gorm"
)

// This file tests that an unavailable, slow, locked or full database is answered with 503 in time, and that a failed write
// leaves nothing behind.

// bodies has the valid bodies of the routes. A request with another body would not reach the database.
var bodies = map[string]string{
	"POST /api/v1/auth/register":       `{"email":"new@example.com","password":"correct horse"}`,
	"POST /api/v1/auth/login":          `{"email":"a@example.com","password":"correct horse"}`,
	"POST /api/v1/auth/refresh":        `{"refresh_token":"` + strings.Repeat("A", 43) + `"}`,
	"POST /api/v1/auth/logout":         `{"refresh_token":"` + strings.Repeat("A", 43) + `"}`,
	"POST /api/v1/auth/verify-email":   `{"token":"` + strings.Repeat("A", 75) + `"}`,
	"POST /api/v1/auth/recover":        `{"email":"a@example.com"}`,
	"POST /api/v1/auth/reset-password": `{"token":"` + strings.Repeat("A", 75) + `","new_password":"another horse"}`,
	"PATCH /api/v1/me":                 `{"name":"n"}`,
	"DELETE /api/v1/me":                `{"password":"correct horse"}`,
	"POST /api/v1/recurrences:preview": `{"recurrence":{"rrule":"FREQ=DAILY"}}`,
	"POST /api/v1/me/password":         `{"current_password":"correct horse","new_password":"another horse"}`,
	"POST /api/v1/tasks:batch":         `{"operations":[{"op":"create","task":{"title":"t"}}]}`,
	"POST /api/v1/import":              `{"title":"t"}`,
	"POST /api/v1/tasks":               `{"title":"t"}`,
	"PUT /api/v1/tasks/:id":            `{"title":"u"}`,
	"PATCH /api/v1/tasks/:id":          `{"title":"v"}`,
	"POST /api/v1/tasks/:id/move":      `{"status":"pending"}`,
}

// queries has the query strings that routes need to reach the database.
var queries = map[string]string{"/api/v1/import": "?format=jsonl", "/api/v1/export": "?format=jsonl"}

// withoutDatabase has the paths of the routes that use no database.
var withoutDatabase = []string{"/api/v1/openapi.json", "/.well-known/jwks.json", "/", "/docs", "/docs/:file"}

// wantUnavailable expects a 503 with a Retry-After in seconds and a problem document without internal details.
func (c *client) wantUnavailable(method, path, body string) {
	c.t.Helper()
	a := c.wantProblem(http.StatusServiceUnavailable, "", method, path, body)
	if after, err := strconv.Atoi(a.header.Get("Retry-After")); err != nil || after < 1 {
		c.t.Errorf("%s %s: got Retry-After %q, want seconds", method, path, a.header.Get("Retry-After"))
	}
	if strings.Contains(a.body, "SQLSTATE") || strings.Contains(a.body, "127.0.0.1") || strings.Contains(a.body, "tasks_app") {
		c.t.Errorf("%s %s: got an answer with internal details: %s", method, path, a.body)
	}
}

// soon fails the test if f takes a minute. That is much longer than each limit in this file, because a busy machine is slow.
func soon(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("got no answer within a minute, want one within the limit")
	}
}

func database(t *testing.T) *pgtest.DB {
	t.Helper()
	return pgtest.New(t, "tasks", pg.Set{Name: "tasks", FS: postgres.Migrations()}, pg.Set{Name: "outbox", FS: outbox.Migrations})
}

func open(t *testing.T, cfg pg.Config) *gorm.DB {
	t.Helper()
	handle, err := pg.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pg.Close(handle) })
	return handle
}

func TestAStoppedDatabaseIs503OnEveryRouteThatUsesIt(t *testing.T) {
	t.Parallel()
	r := newRigOn(t, database(t), open(t, pg.Config{URL: "postgres://tasks_app:x@127.0.0.1:1/tasks?sslmode=disable"}), 0)
	token, _, err := r.signer.Sign(uuid.NewString(), "user", uuid.NewString(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	c := &client{r, token, ""}
	for _, route := range routes {
		needs := true
		for _, path := range withoutDatabase {
			needs = needs && route.path != path
		}
		path := strings.NewReplacer("/:id", "/"+uuid.NewString(), "/:file", "/docs.js", `\:`, ":").Replace(route.path) + queries[route.path]
		body, ok := bodies[route.method+" "+strings.ReplaceAll(route.path, `\:`, ":")]
		switch {
		case !needs:
			c.want(http.StatusOK, nil, route.method, path, "")
		case !ok && (route.method == http.MethodPut || route.method == http.MethodPatch):
			t.Errorf("%s %s: bodies has no entry for this route", route.method, route.path)
		default:
			c.wantUnavailable(route.method, path, body)
		}
	}
}

// changing returns one request for each route that writes a task. Each request has its own task.
func (c *client) changing() []func(do func(method, path, body string)) {
	live := func(body string) string { return "/api/v1/tasks/" + c.create(body).ID }
	series := `{"title":"t","due_date":"2030-01-01","recurrence":{"rrule":"FREQ=DAILY"}}`
	done, gone := live(`{"title":"t"}`), live(`{"title":"t"}`)
	c.want(http.StatusOK, nil, "POST", done+"/complete", "")
	c.want(http.StatusNoContent, nil, "DELETE", gone, "")
	requests := [][3]string{
		{"POST", "/api/v1/tasks", `{"title":"new"}`}, {"PUT", live(`{"title":"t"}`), `{"title":"u"}`}, {"PATCH", live(`{"title":"t"}`), `{"title":"u"}`},
		{"DELETE", live(`{"title":"t"}`), ""}, {"POST", live(series) + "/complete", ""}, {"POST", done + "/reopen", ""},
		{"POST", gone + "/restore", ""}, {"POST", live(series) + "/skip", ""},
		{"POST", live(`{"title":"t"}`) + "/move", `{"status":"completed"}`},
	}
	var out []func(do func(method, path, body string))
	for _, r := range requests {
		out = append(out, func(do func(method, path, body string)) { do(r[0], r[1], r[2]) })
	}
	return out
}

// snapshot returns a few sums over the tables. Every write changes at least one of them.
func (r *rig) snapshot() string {
	return fmt.Sprint(r.count(`SELECT count(*) FROM tasks`), r.count(`SELECT coalesce(sum(version), 0) FROM tasks`),
		r.count(`SELECT count(*) FROM outbox`), r.count(`SELECT count(*) FROM idempotency_keys`))
}

func TestAHeldLockIs503InTimeAndLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	db := database(t)
	const limit = 2 * time.Second // enough for a statement on a busy machine
	r := newRigOn(t, db, open(t, pg.Config{URL: db.AppURL, StatementTimeout: limit}), time.Hour)
	c, other := r.user(), r.user()
	requests := c.changing()
	before := r.snapshot()
	tx := db.Gorm.Begin()
	defer tx.Rollback()
	if err := tx.Exec(`SELECT FROM heads WHERE user_id = ? FOR UPDATE`, c.id).Error; err != nil {
		t.Fatal(err)
	}
	soon(t, func() {
		var all sync.WaitGroup
		for _, request := range requests {
			all.Go(func() { request(c.wantUnavailable) })
		}
		all.Wait()
	})
	c.want(http.StatusOK, nil, "GET", "/api/v1/tasks", "") // a read does not wait for the lock
	other.create(`{"title":"t"}`)                          // another user has another lock
	if err := tx.Rollback().Error; err != nil {
		t.Fatal(err)
	}
	if err := db.Gorm.Exec(`DELETE FROM outbox WHERE key = ?`, other.id).Error; err != nil {
		t.Fatal(err)
	}
	if err := db.Gorm.Exec(`DELETE FROM tasks WHERE user_id = ?`, other.id).Error; err != nil {
		t.Fatal(err)
	}
	if after := r.snapshot(); after != before {
		t.Errorf("after the 503s: got %s, want %s, the same as before", after, before)
	}
	c.succeed(requests)
}

// succeed repeats the requests and expects 2xx.
func (c *client) succeed(requests []func(do func(method, path, body string))) {
	c.t.Helper()
	for _, request := range requests {
		request(func(method, path, body string) {
			if a := c.do(method, path, body); a.status < 200 || a.status > 299 {
				c.t.Errorf("%s %s again: got %d %s, want 2xx", method, path, a.status, a.body)
			}
		})
	}
}

func TestAFullDatabaseIs503AndLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	db := database(t)
	r := newRigOn(t, db, db.Gorm, 0)
	c := r.user()
	requests := c.changing()
	before := r.snapshot()
	admin, err := pgx.Connect(t.Context(), db.AdminURL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = admin.Close(t.Context()) }()
	exec := func(sql string) {
		t.Helper()
		if _, err := admin.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	exec(`CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN RAISE EXCEPTION 'could not extend file "base/1/2": No space left on device' USING ERRCODE = '53100'; END $$`)
	for _, table := range []string{"outbox", "tasks"} { // every write changes both tables
		exec(`CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON ` + table + ` FOR EACH STATEMENT EXECUTE FUNCTION full_disk()`)
		for _, request := range requests {
			request(c.wantUnavailable)
		}
		c.want(http.StatusOK, nil, "GET", "/api/v1/tasks", "")
		if after := r.snapshot(); after != before {
			t.Errorf("disk full at %s: got %s, want %s, the same as before", table, after, before)
		}
		exec(`DROP TRIGGER full_disk ON ` + table)
	}
	c.succeed(requests)
}

// Holds every connection of the pool.
func TestAnExhaustedConnectionPoolIs503InTime(t *testing.T) {
	t.Parallel()
	db := database(t)
	const conns, limit = 2, 2 * time.Second // enough to create a task on a busy machine
	handle := open(t, pg.Config{URL: db.AppURL, MaxConns: conns})
	r := newRigOn(t, db, handle, limit)
	c := r.user()
	held := make([]*gorm.DB, conns)
	for i := range held {
		held[i] = handle.Begin()
	}
	soon(t, func() {
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				c.wantUnavailable("POST", "/api/v1/tasks", `{"title":"t"}`)
				c.wantUnavailable("GET", "/api/v1/sync", "")
			})
		}
		wg.Wait()
	})
	for _, tx := range held {
		tx.Rollback()
	}
	if task := c.create(`{"title":"t"}`); task.Seq != 1 {
		t.Errorf("create: got seq %d, want 1, because every earlier request failed", task.Seq)
	}
}

// The database accepts connections and never answers. A time limit in Postgres cannot help then, only one in the client.
func TestASilentDatabaseIs503InTime(t *testing.T) {
	t.Parallel()
	hole, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = hole.Close() })
	go func() {
		for {
			conn, err := hole.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = conn.Close() })
		}
	}()
	const limit = 300 * time.Millisecond
	r := newRigOn(t, database(t), open(t, pg.Config{URL: "postgres://tasks_app:x@" + hole.Addr().String() + "/tasks?sslmode=disable"}), limit)
	token, _, err := r.signer.Sign(uuid.NewString(), "user", uuid.NewString(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	c := &client{r, token, ""}
	for _, request := range [][3]string{
		{"POST", "/api/v1/tasks", `{"title":"t"}`}, {"GET", "/api/v1/tasks", ""}, {"POST", "/api/v1/tasks/" + uuid.NewString() + "/complete", ""},
		{"POST", "/api/v1/auth/register", bodies["POST /api/v1/auth/register"]},
	} {
		soon(t, func() { c.wantUnavailable(request[0], request[1], request[2]) })
	}
}
