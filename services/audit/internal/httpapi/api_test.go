package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/auditlog"
	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/services/audit/internal/audittest"
	"github.com/taskwire/taskwire/services/audit/internal/domain"
	"github.com/taskwire/taskwire/services/audit/internal/httpapi"
	"github.com/taskwire/taskwire/services/audit/internal/postgres"
	"github.com/taskwire/taskwire/testkit/apitest"
	"github.com/taskwire/taskwire/testkit/authtest"
	"github.com/taskwire/taskwire/testkit/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// document is the API document of all services.
const document = "../../../task-api/api/openapi.yaml"

func TestTheDocumentHasTheRoutesAndNoOthers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var routes []string
	for _, route := range r.engine.Routes() {
		routes = append(routes, route.Method+" "+route.Path)
	}
	r.document.CheckRoutes(t, "audit", routes)
}

// rig is the API on real Postgres with real tokens.
type rig struct {
	t        *testing.T
	engine   *gin.Engine
	document apitest.Document // every answer is checked against it
	store    *postgres.Store
	signer   *auth.Signer
	ann, bob string // users
}

func newRig(t *testing.T) *rig {
	t.Helper()
	store := postgres.New(pgtest.New(t, "audit", postgres.Migrations()).Gorm)
	quiet := slog.New(slog.DiscardHandler)
	log := audittest.Open(t, store, audittest.NewSigner(t), quiet)
	appender := domain.NewAppender(store, prometheus.NewRegistry())
	signer := authtest.NewSigner(t)
	engine := httpx.NewEngine(httpx.Config{Service: "audit", Log: quiet, Registerer: prometheus.NewRegistry()})
	httpapi.Register(engine, log, domain.NewReads(appender.Append, time.Now), auth.Middleware(auth.NewVerifier(signer.Keys, quiet)))
	return &rig{t: t, engine: engine, document: apitest.File(t, document), store: store, signer: signer, ann: uuid.NewString(), bob: uuid.NewString()}
}

// add appends an event and returns its id.
func (r *rig) add(user, task string, version int64, kind events.Type) string {
	r.t.Helper()
	id := uuid.NewString()
	e, err := domain.NewEntry(fmt.Appendf(nil, `{"event_id": %q, "html": "<b>", "event_type": %q, "user_id": %q, "task_id": %q, "task_version": %d, "seq": %d, "timestamp": %q}`,
		id, kind, user, task, version, version, time.Unix(version, 0).UTC().Format(time.RFC3339)), time.Now())
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := r.store.Append(context.Background(), []*domain.Entry{e}); err != nil {
		r.t.Fatal(err)
	}
	return id
}

// get sends a GET request as a user with a role, or without a token when user is "".
func (r *rig) get(user, role, path string) (int, http.Header, []byte) {
	r.t.Helper()
	req := httptest.NewRequest(http.MethodGet, path, nil)
	if user != "" {
		req.Header.Set("Authorization", authtest.Bearer(r.t, r.signer, user, role))
	}
	w := httptest.NewRecorder()
	r.engine.ServeHTTP(w, req)
	body, err := io.ReadAll(w.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	r.document.CheckAnswer(r.t, http.MethodGet, path, w.Code, w.Header(), body)
	return w.Code, w.Header(), body
}

func (r *rig) decode(user, role, path string, out any) {
	r.t.Helper()
	status, _, body := r.get(user, role, path)
	if status != http.StatusOK {
		r.t.Fatalf("GET %s: got %d %s, want 200", path, status, body)
	}
	if err := json.Unmarshal(body, out); err != nil {
		r.t.Fatalf("GET %s: %v in %s", path, err, body)
	}
}

type entry struct {
	Position    int64           `json:"position"`
	EventID     string          `json:"event_id"`
	UserID      string          `json:"user_id"`
	TaskID      string          `json:"task_id"`
	EventType   string          `json:"event_type"`
	TaskVersion int64           `json:"task_version"`
	Event       json.RawMessage `json:"event"`
	Leaf        []byte          `json:"leaf"`
	LeafHash    tlog.Hash       `json:"leaf_hash"`
}

type page struct {
	Items      []entry `json:"items"`
	NextCursor string  `json:"next_cursor"`
}

func (p page) positions() []int64 {
	out := []int64{}
	for _, e := range p.Items {
		out = append(out, e.Position)
	}
	return out
}

// Every route: 401 without a token, a user's own entries only, and all entries for an auditor.
func TestUsersSeeOnlyTheirOwnEntries(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	annTask, bobTask := uuid.NewString(), uuid.NewString()
	annEvent := r.add(r.ann, annTask, 1, events.Created) // position 0
	bobEvent := r.add(r.bob, bobTask, 1, events.Created) // position 1
	r.add(r.ann, annTask, 2, events.Updated)             // position 2
	auditor := uuid.NewString()
	list := func(positions ...int64) string { return fmt.Sprint("200 ", positions) }
	for _, c := range []struct{ path, ann, bob, auditor string }{
		{"/api/v1/audit", list(0, 2), list(1), list(0, 1, 2)},
		{"/api/v1/audit?task_id=" + annTask, list(0, 2), list(), list(0, 2)},
		{"/api/v1/audit/tasks/" + annTask, list(0, 2), list(), list(0, 2)},
		{"/api/v1/audit/tasks/" + bobTask, list(), list(1), list(1)},
		{"/api/v1/audit/tasks/" + uuid.NewString(), list(), list(), list()},
		{"/api/v1/audit/checkpoint", "200", "200", "200"},
		{"/api/v1/audit/key", "200", "200", "200"},
		{"/api/v1/audit/proof/inclusion?position=0", "200", "404", "200"},
		{"/api/v1/audit/proof/inclusion?position=1", "404", "200", "200"},
		{"/api/v1/audit/proof/inclusion?position=1000", "404", "404", "404"},
		{"/api/v1/audit/proof/inclusion?event_id=" + annEvent, "200", "404", "200"},
		{"/api/v1/audit/proof/inclusion?event_id=" + bobEvent, "404", "200", "200"},
		{"/api/v1/audit/proof/consistency?from=1", "200", "200", "200"},
	} {
		if status, header, body := r.get("", "", c.path); status != http.StatusUnauthorized || !strings.HasPrefix(header.Get("Content-Type"), "application/problem+json") {
			t.Errorf("GET %s without a token: got %d %s, want 401 and a problem document", c.path, status, body)
		}
		for _, caller := range []struct{ who, id, role, want string }{
			{"ann", r.ann, auth.RoleUser, c.ann}, {"bob", r.bob, auth.RoleUser, c.bob}, {"auditor", auditor, auth.RoleAuditor, c.auditor},
		} {
			status, _, body := r.get(caller.id, caller.role, c.path)
			got := fmt.Sprint(status)
			if strings.HasPrefix(caller.want, "200 [") {
				var p page
				if err := json.Unmarshal(body, &p); err != nil {
					t.Errorf("GET %s as %s: %v in %s", c.path, caller.who, err, body)
				}
				got += " " + fmt.Sprint(p.positions())
			}
			if got != caller.want {
				t.Errorf("GET %s as %s: got %s %s, want %s", c.path, caller.who, got, body, caller.want)
			}
		}
	}
}

func TestWrongParametersAreNamed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	task := uuid.NewString()
	r.add(r.ann, task, 1, events.Created)
	other := "cDoxMjM0NTY" // "p:123456", the cursor of the other kind of list
	for _, c := range []struct {
		path, field string
		status      int
	}{
		{"/api/v1/audit?limit=0", "limit", 400},
		{"/api/v1/audit?limit=201", "limit", 400},
		{"/api/v1/audit?limit=ten", "limit", 400},
		{"/api/v1/audit?task_id=42", "task_id", 400},
		{"/api/v1/audit?task_id=%7B" + task + "%7D", "task_id", 400},
		{"/api/v1/audit?since=yesterday", "since", 400},
		{"/api/v1/audit?until=2026-11-24", "until", 400},
		{"/api/v1/audit?event_type=a%00b", "event_type", 400},
		{"/api/v1/audit?sort=title", "sort", 400},
		{"/api/v1/audit?cursor=%21", "cursor", 400},
		{"/api/v1/audit?cursor=aDoxOjI", "cursor", 400},
		{"/api/v1/audit?user_id=" + r.bob, "user_id", 403},
		{"/api/v1/audit?user_id=me", "user_id", 400},
		{"/api/v1/audit?event_type=nope", "event_type", 400},
		{"/api/v1/audit?event_type=CREATED", "event_type", 400},
		{"/api/v1/audit?event_type=created,nope", "event_type", 400},
		{"/api/v1/audit?event_type=created&event_type=", "event_type", 400},
		{"/api/v1/audit?actor=", "actor", 400},
		{"/api/v1/audit?actor=Recurring%20task", "actor", 400},
		{"/api/v1/audit?actor=recurring-task,", "actor", 400},
		{"/api/v1/audit?actor=" + strings.Repeat("a,", 20) + "a", "actor", 400},
		{"/api/v1/audit?actor=" + strings.Repeat("a", 101), "actor", 400},
		{"/api/v1/audit?field=colour", "field", 400},
		{"/api/v1/audit?field=title,Title", "field", 400},
		{"/api/v1/audit?q=", "q", 400},
		{"/api/v1/audit?q=...", "q", 400},
		{"/api/v1/audit?q=" + strings.Repeat("a", 201), "q", 400},
		{"/api/v1/audit?q=a+b+c+d+e+f+g+h+i+j+k+l+m+n+o+p+q", "q", 400},
		{"/api/v1/audit?q=a&q=b", "q", 400},
		{"/api/v1/audit?limit=1&limit=2", "limit", 400},
		{"/api/v1/audit/tasks/42", "id", 400},
		{"/api/v1/audit/tasks/" + task + "?cursor=" + other, "cursor", 400},
		{"/api/v1/audit/tasks/" + task + "?since=2026-11-24T08:00:00Z", "since", 400},
		{"/api/v1/audit/checkpoint?size=1", "size", 400},
		{"/api/v1/audit/proof/inclusion", "position", 400},
		{"/api/v1/audit/proof/inclusion?position=0&event_id=" + task, "position", 400},
		{"/api/v1/audit/proof/inclusion?position=-1", "position", 400},
		{"/api/v1/audit/proof/inclusion?position=0&size=0", "size", 400},
		{"/api/v1/audit/proof/inclusion?position=0&size=2", "size", 422},
		{"/api/v1/audit/proof/consistency", "from", 400},
		{"/api/v1/audit/proof/consistency?from=0", "from", 400},
		{"/api/v1/audit/proof/consistency?from=2", "from", 422},
		{"/api/v1/audit/proof/consistency?from=1&to=9", "to", 422},
	} {
		status, header, body := r.get(r.ann, auth.RoleUser, c.path)
		var problem struct {
			Status int
			Errors []struct{ Field, Message string }
		}
		if err := json.Unmarshal(body, &problem); err != nil {
			t.Errorf("GET %s: %v in %s", c.path, err, body)
			continue
		}
		if status != c.status || !strings.HasPrefix(header.Get("Content-Type"), "application/problem+json") || len(problem.Errors) != 1 || problem.Errors[0].Field != c.field {
			t.Errorf("GET %s: got %d %s, want %d that names %s", c.path, status, body, c.status, c.field)
		}
	}
}

func TestCursorsContinueWhileTheLogGrows(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	task := uuid.NewString()
	for version := range int64(7) {
		r.add(r.ann, task, version+1, events.Updated)
	}
	for path, want := range map[string][]int64{
		"/api/v1/audit?limit=3":                           {0, 1, 2, 3, 4, 5, 6},
		"/api/v1/audit?limit=3&sort=-position":            {6, 5, 4, 3, 2, 1, 0},
		"/api/v1/audit/tasks/" + task + "?limit=3":        {0, 1, 2, 3, 4, 5, 6},
		"/api/v1/audit?limit=7&event_type=updated":        {0, 1, 2, 3, 4, 5, 6},
		"/api/v1/audit?limit=200&cursor=&task_id=" + task: {0, 1, 2, 3, 4, 5, 6},
	} {
		var got []int64
		for cursor := ""; ; {
			var p page
			r.decode(r.ann, auth.RoleUser, path+cursor, &p)
			got = append(got, p.positions()...)
			r.add(r.bob, uuid.NewString(), 1, events.Created) // others' entries come in between
			if p.NextCursor == "" {
				break
			}
			cursor = "&cursor=" + p.NextCursor
		}
		if !slices.Equal(got, want) {
			t.Errorf("GET %s, all pages: got %v, want %v", path, got, want)
		}
	}
}

// The auditor uses only the answers and the public key.
func TestAnAuditorVerifiesTheLogOverHTTP(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	task := uuid.NewString()
	for version := range int64(5) {
		r.add(r.ann, task, version+1, events.Updated)
	}
	_, _, vkey := r.get(r.ann, auth.RoleUser, "/api/v1/audit/key")
	head := func() auditlog.Checkpoint {
		status, header, signed := r.get(r.ann, auth.RoleUser, "/api/v1/audit/checkpoint")
		if got := header.Get("Content-Type"); status != 200 || !strings.HasPrefix(got, "text/plain") {
			t.Fatalf("checkpoint: got %d %s", status, got)
		}
		c, err := auditlog.OpenCheckpoint(signed, strings.TrimSpace(string(vkey)))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	older := head()
	r.add(r.bob, uuid.NewString(), 1, events.Created)
	r.add(r.ann, task, 6, events.Completed)
	newer := head()
	if older.Size != 5 || newer.Size != 7 {
		t.Fatalf("sizes: got %d and %d, want 5 and 7", older.Size, newer.Size)
	}
	var p page
	r.decode(r.ann, auth.RoleUser, "/api/v1/audit/tasks/"+task, &p)
	for _, e := range p.Items {
		leaf, err := auditlog.ParseLeaf(e.Leaf)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(leaf.Event, []byte(e.EventID)) || leaf.Hash() != e.LeafHash {
			t.Errorf("entry %d: leaf %q is not that of its event", e.Position, e.Leaf)
		}
		var proof struct {
			Position int64            `json:"position"`
			Size     int64            `json:"size"`
			Hashes   tlog.RecordProof `json:"hashes"`
		}
		r.decode(r.ann, auth.RoleUser, fmt.Sprintf("/api/v1/audit/proof/inclusion?event_id=%s&size=%d", e.EventID, newer.Size), &proof)
		if err := auditlog.Inclusion(newer, proof.Position, e.Leaf, proof.Hashes); err != nil {
			t.Error(err)
		}
	}
	var proof struct {
		Hashes tlog.TreeProof `json:"hashes"`
	}
	r.decode(r.ann, auth.RoleUser, fmt.Sprintf("/api/v1/audit/proof/consistency?from=%d&to=%d", older.Size, newer.Size), &proof)
	if err := auditlog.Consistency(older, newer, proof.Hashes); err != nil {
		t.Error(err)
	}
}

func TestAnEmptyLogAnswers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if status, _, body := r.get(r.ann, auth.RoleUser, "/api/v1/audit"); status != 200 || !strings.Contains(string(body), `"items":[]`) {
		t.Errorf("list: got %d %s, want an empty list", status, body)
	}
	if status, _, body := r.get(r.ann, auth.RoleUser, "/api/v1/audit/checkpoint"); status != 200 || !strings.HasPrefix(string(body), "taskwire-audit\n0\n") {
		t.Errorf("checkpoint: got %d %q, want size 0", status, body)
	}
	if status, _, body := r.get(r.ann, auth.RoleUser, "/api/v1/audit/proof/consistency?from=1"); status != 422 {
		t.Errorf("consistency: got %d %s, want 422", status, body)
	}
}
