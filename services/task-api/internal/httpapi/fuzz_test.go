package httpapi

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/testkit/apitest"
)

// This file sends random requests made from the API document, valid ones and broken ones, and compares every answer with the
// document. TASKWIRE_FUZZ_TIME=10m runs it longer. TASKWIRE_FUZZ_SEED repeats a run; without it each run has a new seed.

// fuzzTime is how long the test runs by default.
const fuzzTime = 8 * time.Second

// succeeds has the status of the operations that succeed for every valid request. The others may also answer that something
// does not exist.
var succeeds = map[string]int{
	"createTask": http.StatusCreated, "listTasks": http.StatusOK, "listTags": http.StatusOK, "getStats": http.StatusOK,
	"getMe": http.StatusOK, "patchMe": http.StatusOK, "register": http.StatusCreated, "logout": http.StatusNoContent,
	"openAPI": http.StatusOK, "jwks": http.StatusOK, "home": http.StatusOK, "docs": http.StatusOK, "docsFile": http.StatusOK,
	"healthz": http.StatusOK, "readyz": http.StatusOK, "importTasks": http.StatusOK,
}

// costly has the operations that hash a password or send several files. After the first time, one in so many rounds runs them.
var costly = map[string]int{"register": 20, "login": 20, "importTasks": 5}

// secret is in every text of another user. No answer may contain it.
const secret = "nobody else's business"

// fuzzer sends requests made from the document. It remembers values from the answers for later requests.
type fuzzer struct {
	apitest.Generator
	contract
	t       *testing.T
	rig     *rig
	client  *client
	ids     []string   // ids of created tasks
	stays   string     // the id of a task that no valid request changes
	foreign []string   // ids of another user's tasks
	next    url.Values // the query of the next page of a list
	session struct{ email, password, refresh string }
	count   map[string]int // requests by operationId, and "refused"
}

func TestTheServerKeepsToItsDocument(t *testing.T) {
	if testing.Short() {
		t.Skip("sends random requests for some seconds")
	}
	t.Parallel()
	duration, seed := fuzzTime, rand.Uint64()
	if text := os.Getenv("TASKWIRE_FUZZ_TIME"); text != "" {
		var err error
		if duration, err = time.ParseDuration(text); err != nil {
			t.Fatalf("TASKWIRE_FUZZ_TIME: %v", err)
		}
	}
	if text := os.Getenv("TASKWIRE_FUZZ_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("TASKWIRE_FUZZ_SEED: %v", err)
		}
	}
	t.Logf("TASKWIRE_FUZZ_SEED=%d", seed)
	r := newRig(t)
	httpx.Health(r.engine, nil, prometheus.NewRegistry())
	f := &fuzzer{
		Generator: apitest.NewGenerator(seed, named), contract: loadContract(t), t: t, rig: r, client: r.user(),
		count: map[string]int{},
	}
	f.stays = f.client.create(`{"title":"stays"}`).ID
	other := f.rig.user()
	for range 5 {
		f.foreign = append(f.foreign, other.create(`{"title":"`+secret+`","description":"`+secret+`","tags":["`+secret+`"]}`).ID)
	}
	f.ids = []string{f.client.create(`{"title":"the first"}`).ID}
	operations := f.operations()
	for end := time.Now().Add(duration); time.Now().Before(end) && !t.Failed(); {
		for _, op := range operations {
			if n, ok := costly[op.OperationID]; ok && f.count[op.OperationID] > 0 && f.IntN(n) > 0 {
				continue
			}
			if op.file() {
				f.files(op)
				continue
			}
			f.valid(op)
			f.invalid(op)
		}
	}
	for _, op := range operations {
		if f.count[op.OperationID] == 0 && succeeds[op.OperationID] != 0 {
			t.Errorf("%s: no valid request was sent", op.OperationID)
		}
	}
	if n := r.count(`SELECT count(*) FROM tasks WHERE user_id = ? AND version = 1 AND deleted_at IS NULL`, other.id); n != int64(len(f.foreign)) {
		t.Errorf("unchanged tasks of the other user: got %d, want %d", n, len(f.foreign))
	}
	t.Logf("requests by operation: %v", f.count)
}

// valid sends a request that the document allows. The answer must be documented. For the operations of succeeds it must be
// that success.
func (f *fuzzer) valid(op apiOperation) {
	r := f.request(op)
	if err := f.allows(f.t, r); err != nil {
		f.t.Errorf("%s: the generator made an invalid request: %v", r, err)
		return
	}
	a := f.send(r)
	f.count[op.OperationID]++
	if want, ok := succeeds[op.OperationID]; ok && a.status != want {
		f.t.Errorf("%s: got %d %s, want %d", r, a.status, a.body, want)
	}
	switch a.status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType:
		f.t.Errorf("%s: got %d %s for a request that the document allows", r, a.status, a.body)
	}
	f.learn(op, r, a)
}

// learn remembers the values of an answer for later requests.
func (f *fuzzer) learn(op apiOperation, r *request, a answer) {
	var got struct {
		ID           string `json:"id"`
		NextCursor   string `json:"next_cursor"`
		RefreshToken string `json:"refresh_token"`
	}
	if json.Unmarshal([]byte(a.body), &got) != nil {
		return
	}
	switch op.OperationID {
	case "createTask":
		f.ids = append(f.ids, got.ID)
	case "listTasks":
		f.next = nil
		if got.NextCursor != "" {
			f.next = maps.Clone(r.query)
			f.next.Set("cursor", got.NextCursor)
		}
	case "register", "login", "refresh":
		f.session.refresh = got.RefreshToken
		if op.OperationID == "register" {
			var sent struct{ Email, Password string }
			_ = json.Unmarshal(r.body, &sent)
			f.session.email, f.session.password = sent.Email, sent.Password
		}
	}
}

// request makes a request that the document allows.
func (f *fuzzer) request(op apiOperation) *request {
	r := &request{op: op, path: map[string]string{}, query: url.Values{}, header: http.Header{}}
	for _, p := range op.parameters() {
		if !p.Required && (p.Name == "cursor" || f.IntN(3) > 0) {
			continue
		}
		value := f.Value(p.Name, p.Schema.Value)
		switch p.In {
		case "path":
			if r.path[p.Name] = fmt.Sprint(value); p.Name == "id" && len(f.ids) > 0 && f.IntN(8) > 0 {
				r.path[p.Name] = f.ids[max(0, len(f.ids)-1-f.IntN(30))]
			} else if p.Name == "id" && f.IntN(2) == 0 {
				r.path[p.Name] = apitest.Pick(f.Generator, f.foreign)
			}
		case "query":
			r.query[p.Name] = queryTexts(value)
		case "header":
			r.header.Set(p.Name, fmt.Sprint(value))
		}
	}
	listRules(r.query)
	if op.OperationID == "listTasks" && f.next != nil && f.IntN(2) == 0 {
		r.query = maps.Clone(f.next)
	}
	if schema := op.bodySchema(); schema != nil {
		body, _ := f.Value("", schema).(map[string]any)
		f.sensible(op, body)
		r.body, r.mediaType = encoded(body), apitest.Pick(f.Generator, slices.Sorted(maps.Keys(op.RequestBody.Value.Content)))
	}
	return r
}

// listRules changes the query of a list so that it follows the rules between parameters, which the schema does not express.
func listRules(query url.Values) {
	if strings.HasSuffix(query.Get("sort"), "relevance") {
		query.Del("deleted")
		if !query.Has("q") {
			query.Set("q", "az")
		}
	}
	if strings.HasSuffix(query.Get("sort"), "deleted_at") {
		query.Set("deleted", "true")
	}
	if query.Get("due") == "overdue" {
		query.Del("overdue")
	}
}

// sensibleRule gives the recurrence of a body a rule that occurs from every day.
func (f *fuzzer) sensibleRule(body map[string]any) {
	if rule, ok := body["recurrence"].(map[string]any); ok {
		rule["rrule"] = apitest.Pick(f.Generator, rules)
		delete(rule, "text")
	}
}

// sensible changes a body so that it follows the rules between members, which the schema does not express.
func (f *fuzzer) sensible(op apiOperation, body map[string]any) {
	switch op.OperationID {
	case "moveTask":
		if body["before"] == nil && body["after"] == nil {
			body["status"] = "in_progress"
		}
		if body["before"] != nil {
			delete(body, "after")
			body["before"] = apitest.Pick(f.Generator, append(f.ids, f.foreign...))
		}
	case "createTask", "replaceTask", "patchTask":
		if body["id"] != nil {
			body["id"] = uuid.Must(uuid.NewV7()).String()
		}
		if body["due_date"] != nil {
			body["due_at"] = nil
		}
		body["start_at"], body["start_date"] = nil, nil
		if f.IntN(3) == 0 {
			body["start_date"] = "1900-01-02" // before every generated due date
		}
		if due := body["due_date"] != nil || body["due_at"] != nil; !due && (body["remind_at"] != nil || body["recurrence"] != nil) {
			body["due_at"] = "2031-05-01T10:00:00Z"
			body["due_date"] = nil
		}
		if body["recurrence"] != nil {
			body["status"] = "pending"
		}
		f.sensibleRule(body)
		delete(body, "scope")
	case "previewRecurrence":
		f.sensibleRule(body)
		body["start_date"], body["start_at"], body["due_at"] = nil, nil, nil
	case "batchTasks": // the schema does not express which members each op needs
		body["operations"] = []any{
			map[string]any{"op": "create", "task": map[string]any{"title": f.Letters(9)}},
			map[string]any{"op": "update", "id": apitest.Pick(f.Generator, f.ids), "patch": map[string]any{"priority": "low"}},
			map[string]any{"op": apitest.Pick(f.Generator, []string{"complete", "reopen", "delete", "restore"}), "id": apitest.Pick(f.Generator, f.ids)},
		}
	case "login":
		if f.session.email != "" && f.IntN(2) == 0 {
			body["email"], body["password"] = f.session.email, f.session.password
		}
	case "refresh", "logout":
		if f.session.refresh != "" && f.IntN(2) == 0 {
			body["refresh_token"] = f.session.refresh
		}
	}
}

// send sends a request as a user who may make it, and checks the rules of every answer.
func (f *fuzzer) send(r *request) answer {
	f.t.Helper()
	token := f.client.token
	switch {
	case r.op.public():
		token = ""
		r.header.Set("X-Forwarded-For", fmt.Sprintf("10.%d.%d.%d", f.IntN(256), f.IntN(256), f.IntN(256))) // an address for each request, so that no rate limit applies
	case slices.Contains(r.op.Tags, "Accounts") && r.op.method != http.MethodGet:
		token = f.rig.user().token // a new account, which the request may change
	}
	return f.sendAs(r, token)
}

func (f *fuzzer) sendAs(r *request, token string) answer {
	f.t.Helper()
	resp, err := http.DefaultClient.Do(r.http(f.t, f.rig.server.URL, token))
	if err != nil {
		f.t.Fatalf("%s: %v", r, err)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		f.t.Fatalf("%s: %v", r, err)
	}
	a := answer{resp.StatusCode, resp.Header, string(raw)}
	if strings.Contains(a.body, secret) {
		f.t.Errorf("%s: got another user's text: %s", r, a.body)
	}
	if a.status >= http.StatusInternalServerError {
		f.t.Errorf("%s: got %d %s", r, a.status, a.body)
	} else if err := f.holds(f.t, r, a); err != nil {
		f.t.Errorf("%s: got %d %.500s, which the document does not allow: %v", r, a.status, a.body, err)
	}
	return a
}

// invalid breaks a random thing of a valid request. The answer must be a 4xx problem that names the broken field.
func (f *fuzzer) invalid(op apiOperation) {
	r := f.request(op)
	r.header.Del("If-Match") // their 412 would come before the expected problem
	r.header.Del("If-None-Match")
	if strings.HasPrefix(op.path, "/api/v1/tasks/{id}") {
		r.path["id"] = f.stays
	}
	field, why, documented := f.damage(r)
	if why == "" {
		return
	}
	if documented && f.allows(f.t, r) == nil {
		f.t.Errorf("%s %s, but the document allows the request: %s", field, why, r)
	}
	a := f.send(r)
	f.count["refused"]++
	var problem httpx.Problem
	if a.status < 400 || a.status >= 500 || json.Unmarshal([]byte(a.body), &problem) != nil || problem.Status != a.status {
		f.t.Errorf("%s %s: got %d %.300s, want a 4xx problem: %s", field, why, a.status, a.body, r)
		return
	}
	if a.status == http.StatusTooManyRequests { // a long run reaches the rate limits, which come before the body
		return
	}
	names := func(e httpx.FieldError) bool {
		return e.Field == field || strings.HasPrefix(e.Field, field+"[") || strings.HasPrefix(e.Field, field+".")
	}
	if field != "" && !slices.ContainsFunc(problem.Errors, names) {
		f.t.Errorf("%s %s: got %d %s, want a problem that names the field: %s", field, why, a.status, a.body, r)
	}
}

// queryTexts returns a value as the texts of a query parameter.
func queryTexts(v any) []string {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	out := make([]string, len(list))
	for i, item := range list {
		out[i] = fmt.Sprint(item)
	}
	if x, ok := v.(float64); ok {
		out[0] = strconv.FormatFloat(x, 'f', -1, 64)
	}
	return out
}

func encoded(body any) []byte {
	raw, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	return raw
}
