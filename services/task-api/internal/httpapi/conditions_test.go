package httpapi

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/taskwire/taskwire/pkg/events"
)

// TestConditionsOfWritesAreThoseOfRFC9110 sends each request to a task at version 1, made for it alone.
func TestConditionsOfWritesAreThoseOfRFC9110(t *testing.T) {
	t.Parallel()
	c := newRig(t).user()
	for _, tc := range []struct {
		method, header, value string
		want                  int
	}{
		{"PUT", "If-None-Match", `*`, 412},
		{"PUT", "If-None-Match", `"v1"`, 412},
		{"PATCH", "If-None-Match", `"v1"`, 412},
		{"PATCH", "If-None-Match", `W/"v1"`, 412}, // weak comparison
		{"PATCH", "If-None-Match", `"v9", "v1"`, 412},
		{"PATCH", "If-None-Match", `"v9"`, 200},
		{"PATCH", "If-None-Match", `"v01"`, 200},
		{"PATCH", "If-None-Match", `v1`, 400},
		{"PATCH", "If-None-Match", `"v9", *`, 400},
		{"DELETE", "If-None-Match", `*`, 412},
		{"DELETE", "If-None-Match", `"v2"`, 204},
		{"POST complete", "If-None-Match", `"v1"`, 412},
		{"POST reopen", "If-None-Match", `*`, 412},
		{"POST restore", "If-None-Match", `*`, 412},
		{"POST skip", "If-None-Match", `*`, 412},
		{"PATCH", "If-Match", `"v1"`, 200},
		{"PATCH", "If-Match", `*`, 200},
		{"PATCH", "If-Match", ` * `, 200},
		{"PATCH", "If-Match", `"v1",`, 200}, // empty members count for nothing
		{"PATCH", "If-Match", `,"v1"`, 200},
		{"PATCH", "If-Match", ` , ,"v9" ,, "v1" ,`, 200},
		{"PATCH", "If-Match", `"a,b", "v1"`, 200}, // a comma may stand in a tag
		{"PATCH", "If-Match", `"v9","v1"`, 200},
		{"PATCH", "If-Match", `W/"v9", "v1"`, 200},
		{"PATCH", "If-Match", "\"\xc3\xa4\", \"v1\"", 200},
		{"PATCH", "If-Match", `"v9"`, 412},
		{"PATCH", "If-Match", `"v01"`, 412}, // compared byte for byte
		{"PATCH", "If-Match", `"v+1"`, 412},
		{"PATCH", "If-Match", `"V1"`, 412},
		{"PATCH", "If-Match", `"1"`, 412},
		{"PATCH", "If-Match", `""`, 412},
		{"PATCH", "If-Match", `W/"v1"`, 412}, // a weak tag never matches
		{"PATCH", "If-Match", `"v1,"`, 412},
		{"PATCH", "If-Match", `"v9", *`, 400},
		{"PATCH", "If-Match", `*, "v1"`, 400},
		{"PATCH", "If-Match", `*, *`, 400},
		{"PATCH", "If-Match", `v1`, 400},
		{"PATCH", "If-Match", `"v1`, 400},
		{"PATCH", "If-Match", `"v1" "v2"`, 400},
		{"PATCH", "If-Match", `"v1"x`, 400},
		{"PATCH", "If-Match", `"v 1"`, 400},
		{"PATCH", "If-Match", `w/"v1"`, 400}, // W is upper case
		{"PATCH", "If-Match", `W/ "v1"`, 400},
		{"PATCH", "If-Match", ``, 400},
		{"PATCH", "If-Match", ` , `, 400},
		{"POST complete", "If-Match", `"v9"`, 412},
		{"GET", "If-Match", `"v9"`, 412},
		{"GET", "If-Match", `"v1"`, 200},
		{"HEAD", "If-Match", `"v9"`, 412},
		{"GET", "If-None-Match", `W/"v1"`, 304},
		{"GET", "If-None-Match", `*`, 304},
		{"HEAD", "If-None-Match", `"a,b", "v1",`, 304},
		{"GET", "If-None-Match", `v1`, 200}, // malformed: the whole task is never wrong
	} {
		task := c.create(`{"title":"t","due_date":"2030-01-01","recurrence":{"rrule":"FREQ=DAILY"}}`)
		method, action, _ := strings.Cut(tc.method, " ")
		path, body := "/api/v1/tasks/"+task.ID, ""
		if action != "" {
			path += "/" + action
		}
		if method == http.MethodPut || method == http.MethodPatch {
			body = `{"title":"changed"}`
		}
		a := c.do(method, path, body, tc.header, tc.value)
		if a.status != tc.want {
			t.Errorf("%s with %s: %s: got %d %s, want %d", tc.method, tc.header, tc.value, a.status, a.body, tc.want)
		}
		if tc.want == 412 && method != http.MethodHead {
			wantPresentState(t, a, task)
		}
		if got := c.do(http.MethodGet, "/api/v1/tasks/"+task.ID, ""); tc.want >= 400 && got.header.Get("ETag") != `"v1"` {
			t.Errorf("%s with %s: %s: the task is at %s afterwards, want no change", tc.method, tc.header, tc.value, got.header.Get("ETag"))
		}
	}
}

// wantPresentState expects a 412 that has the task and its ETag, so that the client can merge without reading again.
func wantPresentState(t *testing.T, a answer, task events.TaskData) {
	t.Helper()
	var p struct{ Task events.TaskData }
	if err := json.Unmarshal([]byte(a.body), &p); err != nil || p.Task.ID != task.ID || p.Task.Version != task.Version || p.Task.Title != task.Title {
		t.Errorf("412: got %s (%v), want the task %s at version %d", a.body, err, task.ID, task.Version)
	}
	if got, want := a.header.Get("ETag"), etag(task.Version); got != want {
		t.Errorf("412: got ETag %s, want %s", got, want)
	}
}

func TestTwoLinesOfIfMatchAreOneList(t *testing.T) {
	t.Parallel()
	c := newRig(t).user()
	for want, lines := range map[int][]string{200: {`"v9"`, `"v1"`}, 412: {`"v8"`, `"v9"`}, 400: {`"v1"`, `*`}} {
		task := c.create(`{"title":"t"}`)
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPatch, "/api/v1/tasks/"+task.ID, strings.NewReader(`{"title":"u"}`))
		req.Header = http.Header{"Authorization": {"Bearer " + c.token}, "If-Match": lines}
		w := httptest.NewRecorder()
		c.engine.ServeHTTP(w, req)
		if w.Code != want {
			t.Errorf("If-Match: %v: got %d %s, want %d", lines, w.Code, w.Body, want)
		}
	}
}

// A deleted task has no representation, so * of If-None-Match does not match it; its versions still do.
func TestADeletedTaskHasNoRepresentation(t *testing.T) {
	t.Parallel()
	c := newRig(t).user()
	path := "/api/v1/tasks/" + c.create(`{"title":"t"}`).ID
	c.want(204, nil, "DELETE", path, "")
	c.wantProblem(412, "", "POST", path+"/restore", "", "If-None-Match", `"v2"`)
	c.want(204, nil, "DELETE", path, "", "If-None-Match", `*`)
	c.want(200, nil, "POST", path+"/restore", "", "If-None-Match", `*`)
}

func TestABatchsStaleOperationHasTheTaskToo(t *testing.T) {
	t.Parallel()
	c := newRig(t).user()
	task := c.create(`{"title":"as it is"}`)
	op := `{"op":"update","id":"` + task.ID + `","if_match":7,"patch":{"title":"x"}}`
	for body, status := range map[string]int{`{"operations":[` + op + `]}`: 200, `{"atomic":true,"operations":[` + op + `]}`: 412} {
		a := c.want(status, nil, "POST", "/api/v1/tasks:batch", body)
		if n := strings.Count(a.body, `"title":"as it is"`); n == 0 {
			t.Errorf("%s: got %s, want the task in the problem", body, a.body)
		}
	}
}

func FuzzEntityTagsEndInEveryCase(f *testing.F) {
	for _, s := range []string{`"v1"`, `*`, `W/"a,b", "v1",`, `"`, `W/`, ",\t ,", `"v9", *`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		c, _ := gin.CreateTestContext(httptest.NewRecorder())
		c.Request = httptest.NewRequest(http.MethodGet, "/", http.NoBody)
		c.Request.Header["If-Match"] = []string{value}
		tags, err := entityTags(c, "If-Match")
		if err != nil {
			return
		}
		if tags.any == (len(tags.list) > 0) {
			t.Errorf("%q: got %+v, want * or tags", value, tags)
		}
		for _, tag := range tags.list { // each is a tag of its own, and part of the header
			c.Request.Header["If-Match"] = []string{tag}
			again, err := entityTags(c, "If-Match")
			if err != nil || !slices.Equal(again.list, []string{tag}) || !strings.Contains(value, tag) {
				t.Errorf("%q: its tag %q is read as %+v, %v", value, tag, again, err)
			}
		}
	})
}
