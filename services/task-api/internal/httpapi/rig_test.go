package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/pkg/platform/outbox"
	pg "github.com/taskwire/taskwire/pkg/platform/postgres"
	"github.com/taskwire/taskwire/services/task-api/api"
	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
	"github.com/taskwire/taskwire/services/task-api/internal/postgres"
	"github.com/taskwire/taskwire/services/task-api/internal/publish"
	"github.com/taskwire/taskwire/services/task-api/internal/tasks"
	"github.com/taskwire/taskwire/services/task-api/internal/tasktest"
	"github.com/taskwire/taskwire/testkit/authtest"
	"github.com/taskwire/taskwire/testkit/pgtest"
	"gorm.io/gorm"
)

// This file has the test server and the client that the other tests use.

// rig is the public API with a fresh database.
type rig struct {
	t      testing.TB
	engine *gin.Engine
	server *httptest.Server
	db     *pgtest.DB
	store  *postgres.Store
	uses   *tasks.Service
	signer *auth.Signer
}

func newRig(t testing.TB) *rig {
	t.Helper()
	db := pgtest.New(t, "tasks", migrationSets()...)
	return newRigOn(t, db, db.Gorm, 0)
}

func migrationSets() []pg.Set {
	return []pg.Set{{Name: "tasks", FS: postgres.Migrations()}, {Name: "outbox", FS: outbox.Migrations}}
}

// newRigOn is newRig with a given database handle, a time limit for requests (0 means the default), and changes to the
// configuration.
func newRigOn(t testing.TB, db *pgtest.DB, handle *gorm.DB, timeout time.Duration, change ...func(*Config)) *rig {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	signer := authtest.NewSigner(t)
	hasher, err := accounts.NewHasher()
	if err != nil {
		t.Fatal(err)
	}
	document, err := api.JSON()
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, db: db, signer: signer}
	r.store = postgres.New(handle, outbox.New(handle, log), time.Now)
	r.uses = tasks.New(r.store, publish.New(log), time.Now, 0)
	r.engine = httpx.NewEngine(httpx.Config{Service: "task-api", Log: log, Registerer: prometheus.NewRegistry(), BodyLimits: BodyLimits(), TrustedProxies: []string{"127.0.0.1"}})
	users := accounts.New(r.store, hasher, signer, publish.New(log), log, time.Now)
	links, err := accounts.NewLinks([]byte("a key of the tests"))
	if err != nil {
		t.Fatal(err)
	}
	users.UseMail(accounts.NewMailer(r.store, nil, links, &url.URL{Scheme: "https", Host: "tasks.example.com"}, log, time.Now)) // it does not run
	cfg := Config{
		Tasks: r.uses, Accounts: users,
		Verifier: auth.NewVerifier(signer.Keys, log),
		JWKS:     signer.JWKS, CursorKey: bytes.Repeat([]byte{7}, 32), OpenAPI: document, Now: time.Now,
		RequestTimeout: timeout,
	}
	for _, c := range change {
		c(&cfg)
	}
	Register(r.engine, cfg)
	r.server = httptest.NewServer(r.engine)
	t.Cleanup(r.server.Close)
	return r
}

// client sends requests with one access token, or without one if token is "".
type client struct {
	*rig
	token string
	id    string
}

// password is the password of every user of a rig. passwordHash hashes it once.
const password = "correct horse"

var passwordHash = sync.OnceValues(func() (string, error) {
	hasher, err := accounts.NewHasher()
	if err != nil {
		return "", err
	}
	return hasher.Hash(context.Background(), accounts.Turn{}, password)
})

// user creates an account without hashing a password again, and returns a client with its access token.
func (r *rig) user() *client {
	r.t.Helper()
	return r.userWith(uuid.NewString())
}

// userWith is user with a given id.
func (r *rig) userWith(id string) *client {
	r.t.Helper()
	u := accounts.User{ID: id, Email: id + "@example.com", Timezone: "Europe/London", Role: "user", CreatedAt: time.Now()}
	login := accounts.Login{FamilyID: uuid.NewString(), UserID: id, Hash: [32]byte([]byte(id)[:32]), At: time.Now(), ExpiresAt: time.Now().Add(time.Hour)}
	hash, err := passwordHash()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := r.store.CreateUser(context.Background(), u, hash, login, tasktest.NoEvents); err != nil {
		r.t.Fatal(err)
	}
	token, _, err := r.signer.Sign(id, "user", login.FamilyID, time.Now())
	if err != nil {
		r.t.Fatal(err)
	}
	return &client{r, token, id}
}

// answer is the answer to a request.
type answer struct {
	status int
	header http.Header
	body   string
}

// do sends a request. headers are names and values in turn.
func (c *client) do(method, path, body string, headers ...string) answer {
	c.t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	req, err := http.NewRequest(method, c.server.URL+path, reader)
	if err != nil {
		c.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	return answer{resp.StatusCode, resp.Header, string(raw)}
}

// want sends a request, checks the status and decodes the answer into out, unless out is nil.
func (c *client) want(status int, out any, method, path, body string, headers ...string) answer {
	c.t.Helper()
	a := c.do(method, path, body, headers...)
	if a.status != status {
		c.t.Fatalf("%s %s %s: got %d %s, want %d", method, path, body, a.status, a.body, status)
	}
	if out != nil {
		if err := json.Unmarshal([]byte(a.body), out); err != nil {
			c.t.Fatalf("%s %s: %v in %s", method, path, err, a.body)
		}
	}
	return a
}

// wantProblem sends a request and expects a problem document with the status. The document must name the field, unless it is "".
func (c *client) wantProblem(status int, field, method, path, body string, headers ...string) answer {
	c.t.Helper()
	a := c.do(method, path, body, headers...)
	what := fmt.Sprintf("%s %s %.100s %v", method, path, body, headers)
	if a.status != status || a.header.Get("Content-Type") != "application/problem+json" {
		c.t.Errorf("%s: got %d %s, want %d and a problem document", what, a.status, a.body, status)
		return a
	}
	var p httpx.Problem
	if err := json.Unmarshal([]byte(a.body), &p); err != nil || p.Status != status || p.Type == "" || p.Title == "" {
		c.t.Errorf("%s: got %s, want a problem document with type, title and status", what, a.body)
	}
	if field == "" {
		return a
	}
	for _, f := range p.Errors {
		if f.Field == field {
			return a
		}
	}
	c.t.Errorf("%s: got %s, want a problem that names %q", what, a.body, field)
	return a
}

// create creates a task.
func (c *client) create(body string) events.TaskData {
	c.t.Helper()
	var task events.TaskData
	c.want(http.StatusCreated, &task, http.MethodPost, "/api/v1/tasks", body)
	return task
}

// count returns the number that the SQL selects.
func (r *rig) count(sql string, args ...any) int64 {
	r.t.Helper()
	var n int64
	if err := r.db.Gorm.Raw(sql, args...).Scan(&n).Error; err != nil {
		r.t.Fatal(err)
	}
	return n
}
