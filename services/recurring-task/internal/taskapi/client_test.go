package taskapi_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/taskwire/taskwire/pkg/platform/dapr"
	"github.com/taskwire/taskwire/services/recurring-task/internal/domain"
	"github.com/taskwire/taskwire/services/recurring-task/internal/taskapi"
)

// sidecar stands in for a sidecar and a task API that always returns the same answer. The whole-stack tests use the real
// ones.
type sidecar struct {
	status   int
	body     string
	requests []string // method and path of each
	got      map[string]any
}

func (s *sidecar) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.requests = append(s.requests, r.Method+" "+r.URL.Path)
	raw, _ := io.ReadAll(r.Body)
	_ = json.Unmarshal(raw, &s.got)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(s.status)
	_, _ = io.WriteString(w, s.body)
}

func client(t *testing.T, s *sidecar) *taskapi.Client {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		t.Fatal(err)
	}
	d, err := dapr.New(dapr.Config{HTTPPort: port, GRPCPort: port, Attempts: 2, Backoff: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return taskapi.New(d)
}

var completion = domain.Completion{EventID: "e", UserID: "u", TaskID: "t"}

func TestTheRequestIsWhatTheTaskAPIExpects(t *testing.T) {
	s := &sidecar{status: 201, body: `{"id":"n"}`}
	if _, err := client(t, s).CreateSuccessor(t.Context(), completion); err != nil {
		t.Fatal(err)
	}
	if want := []string{"POST /v1.0/invoke/task-api/method/internal/next-occurrence"}; !reflect.DeepEqual(s.requests, want) {
		t.Errorf("requests %v, want %v", s.requests, want)
	}
	if want := map[string]any{"event_id": "e", "user_id": "u", "task_id": "t"}; !reflect.DeepEqual(s.got, want) {
		t.Errorf("body %v, want %v", s.got, want)
	}
}

func TestFinalAnswersAreAnswersAndAllOthersAreErrors(t *testing.T) {
	const problem = `{"type":"urn:taskwire:problem:x","title":"Conflict","status":409,"detail":"the series has ended","errors":[{"field":"due_at","message":"is too far"}]}`
	for _, c := range []struct {
		name   string
		status int
		body   string
		want   domain.Answer // the zero answer: an error
	}{
		{"made", 201, `{"id":"n","title":"x"}`, domain.Answer{TaskID: "n", Made: true}},
		{"there", 200, `{"id":"n"}`, domain.Answer{TaskID: "n"}},
		{"no task in the answer", 201, `{}`, domain.Answer{}},
		{"not JSON", 200, `<html>`, domain.Answer{}},
		{"the route is not there yet", 404, problem, domain.Answer{}},
		{"series has ended", 409, problem, domain.Answer{Refused: "409 Conflict: the series has ended; due_at is too far"}},
		{"cannot be a task", 422, problem, domain.Answer{Refused: "422 Conflict: the series has ended; due_at is too far"}},
		{"404 of something in between", 404, `404 page not found`, domain.Answer{}},
		{"malformed request", 400, problem, domain.Answer{}},
		{"token refused", 401, problem, domain.Answer{}},
		{"too many", 429, problem, domain.Answer{}},
		{"failed", 500, problem, domain.Answer{}},
		{"database away", 503, problem, domain.Answer{}},
		{"the sidecar cannot find the app", 500, `{"errorCode":"ERR_DIRECT_INVOKE","message":"failed to resolve"}`, domain.Answer{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := client(t, &sidecar{status: c.status, body: c.body}).CreateSuccessor(t.Context(), completion)
			if got != c.want || (err == nil) == (c.want == domain.Answer{}) {
				t.Errorf("%d %s: %+v, %v; want %+v", c.status, c.body, got, err, c.want)
			}
		})
	}
}

func TestATaskAPIThatIsAwayIsAnError(t *testing.T) {
	d, err := dapr.New(dapr.Config{HTTPPort: 1, GRPCPort: 1, Attempts: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := taskapi.New(d).CreateSuccessor(t.Context(), completion); err == nil || !strings.Contains(err.Error(), "task-api") {
		t.Errorf("no sidecar: %v, want an error that names task-api", err)
	}
}
