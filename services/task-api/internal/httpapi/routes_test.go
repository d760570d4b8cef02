package httpapi

import (
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/taskwire/taskwire/services/task-api/api"
)

var parameter = regexp.MustCompile(`/:(\w+)`)

// address returns the path of a route without the escapes of its colons.
func address(path string) string { return strings.ReplaceAll(path, `\:`, ":") }

func TestTheDocumentHasExactlyTheRoutes(t *testing.T) {
	t.Parallel()
	raw, err := api.JSON()
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1.") {
		t.Errorf("openapi: got %q, want 3.1", doc.OpenAPI)
	}
	documented := map[string]string{}
	for path, item := range doc.Paths {
		for method, op := range item {
			var o struct {
				Service  string           `json:"x-service"`
				Security *json.RawMessage `json:"security"`
				ID       string           `json:"operationId"`
				Summary  string
				Tags     []string
				Answers  map[string]any `json:"responses"`
			}
			if method == "parameters" {
				continue
			}
			if err := json.Unmarshal(op, &o); err != nil {
				t.Fatalf("%s %s: %v", method, path, err)
			}
			name := strings.ToUpper(method) + " " + path
			if o.Service == "" || o.ID == "" || o.Summary == "" || len(o.Tags) != 1 || len(o.Answers) == 0 {
				t.Errorf("%s: got %+v, want x-service, operationId, summary, one tag and responses", name, o)
			}
			if o.Service == "task-api" {
				documented[name] = string(user)
				if o.Security != nil {
					documented[name] = string(public)
				}
			}
		}
	}
	for _, r := range routes {
		name := r.method + " " + parameter.ReplaceAllString(address(r.path), "/{$1}")
		if access, ok := documented[name]; !ok {
			t.Errorf("%s is a route, but not in openapi.yaml", name)
		} else if needs := r.access; access != string(needs) && (access != string(user) || needs != login) {
			t.Errorf("%s: got access %s in openapi.yaml, want %s", name, access, r.access)
		}
		delete(documented, name)
	}
	for name := range documented {
		t.Errorf("%s is in openapi.yaml as an operation of the task API, but it is not a route", name)
	}
}

// An API token that may only read is refused by each route that writes, and every API token by the routes of the account.
func TestTheDocumentSaysWhatAPITokensAreRefused(t *testing.T) {
	t.Parallel()
	raw, err := api.JSON()
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	loginOnly := map[string]bool{}
	for _, r := range routes {
		loginOnly[r.method+" "+parameter.ReplaceAllString(address(r.path), "/{$1}")] = r.access == login
	}
	for path, item := range doc.Paths {
		for method, op := range item {
			var o struct {
				Security *json.RawMessage `json:"security"`
				Answers  map[string]any   `json:"responses"`
			}
			if method == "parameters" {
				continue
			}
			if err := json.Unmarshal(op, &o); err != nil {
				t.Fatalf("%s %s: %v", method, path, err)
			}
			name := strings.ToUpper(method) + " " + path
			if o.Security == nil && (loginOnly[name] || method != "get") && o.Answers["403"] == nil {
				t.Errorf("%s has no 403 in openapi.yaml", name)
			}
		}
	}
}

func TestTheAPIPageHasEveryRoute(t *testing.T) {
	t.Parallel()
	tour, err := os.ReadFile("../../../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range routes {
		if name := "`" + r.method + " " + documentPath(r.path) + "`"; !strings.Contains(string(tour), name) {
			t.Errorf("docs/api.md does not have %s", name)
		}
	}
}

// Also finds components that nothing uses.
func TestEveryReferenceInTheDocumentHasATarget(t *testing.T) {
	t.Parallel()
	raw, err := api.JSON()
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, m := range regexp.MustCompile(`"\$ref":"#/([^"]+)"`).FindAllStringSubmatch(strings.ReplaceAll(string(raw), `": "`, `":"`), -1) {
		used[m[1]] = true
		var node any = doc
		for part := range strings.SplitSeq(m[1], "/") {
			object, _ := node.(map[string]any)
			if node = object[part]; node == nil {
				t.Errorf("$ref #/%s has no target", m[1])
				break
			}
		}
	}
	if len(used) < 20 {
		t.Fatalf("got %d references, want at least 20", len(used))
	}
	for kind, group := range doc["components"].(map[string]any) {
		for name := range group.(map[string]any) {
			if kind != "securitySchemes" && !used["components/"+kind+"/"+name] {
				t.Errorf("components/%s/%s is not used", kind, name)
			}
		}
	}
}

func TestEveryRouteThatIsNotPublicRequiresAToken(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.user().create(`{"title":"t"}`).ID
	expired, _, err := r.signer.Sign(id, "user", uuid.NewString(), time.Now().Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	for _, route := range routes {
		path := strings.ReplaceAll(address(route.path), ":id", id)
		for name, token := range map[string]string{"no token": "", "an invalid token": "x.y.z", "an expired token": expired} {
			c := &client{rig: r, token: token}
			a := c.do(route.method, path, "{}")
			if got := a.status == http.StatusUnauthorized && strings.Contains(a.body, "access token"); got != (route.access != public) {
				t.Errorf("%s %s with %s: got %d %s for a route that is %s", route.method, path, name, a.status, a.body, route.access)
			}
		}
	}
}

// Reads the table of routes, so it includes routes with an id that are added later.
func TestAnotherUsersTaskIsNotFoundOnEveryRoute(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	owner, other := r.user(), r.user()
	task := owner.create(`{"title":"t","due_date":"2030-01-01","recurrence":{"rrule":"FREQ=DAILY"}}`)
	gone := owner.create(`{"title":"gone"}`)
	owner.want(http.StatusNoContent, nil, "DELETE", "/api/v1/tasks/"+gone.ID, "")
	bodies := map[string]string{http.MethodPut: `{"title":"mine"}`, http.MethodPatch: `{"title":"mine"}`}
	tested := 0
	for _, route := range routes {
		if !strings.Contains(route.path, ":id") {
			continue
		}
		tested++
		for _, id := range []string{task.ID, gone.ID, "01890a5d-ac96-774b-bcce-b302099a8057"} {
			path := strings.ReplaceAll(address(route.path), ":id", id)
			body := bodies[route.method]
			if strings.HasSuffix(path, "/move") {
				body = `{"status":"pending"}`
			}
			other.wantProblem(http.StatusNotFound, "", route.method, path, body)
			other.wantProblem(http.StatusNotFound, "", route.method, path, body, "If-Match", `"v1"`)
		}
	}
	if tested < 8 {
		t.Errorf("routes with an id: got %d, want at least 8", tested)
	}
	for _, path := range []string{"/api/v1/tasks", "/api/v1/sync", "/api/v1/tags", "/api/v1/stats"} {
		if a := other.want(http.StatusOK, nil, "GET", path, ""); strings.Contains(a.body, task.ID) || strings.Contains(a.body, `"total":1`) {
			t.Errorf("GET %s: got another user's task: %s", path, a.body)
		}
	}
	if n := r.count(`SELECT count(*) FROM outbox WHERE key = ?`, other.id); n != 0 {
		t.Errorf("outbox: got %d events of the other user, want none", n)
	}
}

func TestATokenWithoutAnAccountIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.user()
	if err := r.db.Gorm.Exec(`DELETE FROM users WHERE id = ?`, c.id).Error; err != nil {
		t.Fatal(err)
	}
	c.wantProblem(http.StatusUnauthorized, "", "GET", "/api/v1/me", "")
	c.wantProblem(http.StatusUnauthorized, "", "POST", "/api/v1/tasks", `{"title":"t"}`)
	c.wantProblem(http.StatusUnauthorized, "", "GET", "/api/v1/sync", "")
}

func TestThePagesLoadFilesOfThisServerOnly(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	nobody := &client{rig: r}
	elsewhere := regexp.MustCompile(`(?i)(src|href)="(https?:)?//|@import|url\(`)
	for path, want := range map[string][]string{
		"/":                {"/docs", "/api/v1/openapi.json"},
		"/docs":            {"/docs/docs.js", "/docs/style.css", "/api/v1/openapi.json"},
		"/docs/account":    {"/docs/account.js", "/docs/style.css"},
		"/docs/account.js": {"/api/v1/auth/verify-email", "/api/v1/auth/reset-password"},
		"/docs/docs.js":    {"/api/v1/openapi.json"},
		"/docs/style.css":  {"body"},
	} {
		a := nobody.want(http.StatusOK, nil, "GET", path, "")
		for _, text := range want {
			if !strings.Contains(a.body, text) {
				t.Errorf("GET %s: got a page without %q", path, text)
			}
		}
		if elsewhere.MatchString(a.body) || strings.Contains(a.body, "innerHTML") {
			t.Errorf("GET %s: got a page that loads files of another server, or uses innerHTML", path)
		}
		if policy := a.header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") {
			t.Errorf("GET %s: got policy %q, want default-src 'none'", path, policy)
		}
	}
	nobody.wantProblem(http.StatusNotFound, "", "GET", "/docs/other.js", "")
	var keys struct{ Keys []map[string]any }
	nobody.want(http.StatusOK, &keys, "GET", "/.well-known/jwks.json", "")
	if len(keys.Keys) != 1 || keys.Keys[0]["kty"] != "OKP" {
		t.Errorf("jwks: got %v, want one key of type OKP", keys)
	}
	if a := nobody.want(http.StatusOK, nil, "GET", "/api/v1/openapi.json", ""); a.header.Get("Content-Type") != "application/json" {
		t.Errorf("openapi.json: got type %s, want application/json", a.header.Get("Content-Type"))
	}
}

func TestThePublicAPIHasNoRoutesOfDapr(t *testing.T) {
	t.Parallel()
	c := newRig(t).user()
	for _, path := range []string{"/internal/next-occurrence", "/internal/successors", "/internal/changes", "/internal/heads", "/internal/jwks", "/events/task-events"} {
		for _, method := range []string{"GET", "POST"} {
			c.wantProblem(http.StatusNotFound, "", method, path, "")
		}
	}
	if slices.ContainsFunc(routes, func(r route) bool { return strings.HasPrefix(r.path, "/internal") }) {
		t.Error("routes: got a path below /internal, want none")
	}
}
