package httpapi

import (
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/taskwire/taskwire/pkg/events"
)

func TestATaskIsCreatedReadChangedAndDeleted(t *testing.T) {
	t.Parallel()
	c := newRig(t).user()
	var made, got events.TaskData
	a := c.want(http.StatusCreated, &made, "POST", "/api/v1/tasks", `{"title":" Write ","tags":["work"],"due_at":"2030-01-31T10:00:00+01:00"}`)
	if a.header.Get("ETag") != `"v1"` || a.header.Get("Location") != "/api/v1/tasks/"+made.ID {
		t.Errorf("create: got ETag %s and Location %s", a.header.Get("ETag"), a.header.Get("Location"))
	}
	if made.Title != "Write" || made.Timezone != "Europe/London" || made.Seq != 1 || !strings.Contains(a.body, `"due_at":"2030-01-31T09:00:00Z"`) {
		t.Errorf("create: got %s", a.body)
	}
	path := "/api/v1/tasks/" + made.ID
	c.want(http.StatusOK, &got, "GET", path, "")
	if !reflect.DeepEqual(got, made) {
		t.Errorf("get: got %+v, want %+v", got, made)
	}
	c.want(http.StatusNotModified, nil, "GET", path, "", "If-None-Match", `"v0", W/"v1"`)
	c.want(http.StatusOK, nil, "GET", path, "", "If-None-Match", `"v2"`)

	a = c.want(http.StatusOK, &got, "PATCH", path, `{"priority":"high"}`, "If-Match", `"v1"`, "Content-Type", "application/merge-patch+json")
	if got.Version != 2 || got.Priority != "high" || got.Title != "Write" || a.header.Get("ETag") != `"v2"` {
		t.Errorf("patch: got %s", a.body)
	}
	c.want(http.StatusOK, &got, "PATCH", path, `{"priority":"high"}`)
	if got.Version != 2 {
		t.Errorf("patch with the same value: got version %d, want 2", got.Version)
	}
	c.wantProblem(http.StatusPreconditionFailed, "", "PATCH", path, `{"title":"x"}`, "If-Match", `"v1"`)
	c.wantProblem(http.StatusPreconditionFailed, "", "PATCH", path, `{"title":"x"}`, "If-Match", `W/"v2"`)
	c.wantProblem(http.StatusBadRequest, "If-Match", "PATCH", path, `{"title":"x"}`, "If-Match", `v2`)
	c.want(http.StatusOK, &got, "PATCH", path, `{"title":"x"}`, "If-Match", "*")

	a = c.want(http.StatusOK, nil, "GET", path, "")
	c.want(http.StatusOK, &got, "PUT", path, a.body, "If-Match", a.header.Get("ETag"))
	if got.Version != 3 {
		t.Errorf("put with the body of get: got version %d, want 3, the same as before", got.Version)
	}
	got = events.TaskData{}
	c.want(http.StatusOK, &got, "PUT", path, `{"title":"only"}`)
	if got.Version != 4 || got.Priority != "medium" || len(got.Tags) != 0 || got.DueAt != nil {
		t.Errorf("put: got %+v, want version 4 with default values", got)
	}

	c.wantProblem(http.StatusPreconditionFailed, "", "DELETE", path, "", "If-Match", `"v3"`)
	c.want(http.StatusNoContent, nil, "DELETE", path, "", "If-Match", `"v4"`)
	c.want(http.StatusNoContent, nil, "DELETE", path, "")
	c.wantProblem(http.StatusNotFound, "", "GET", path, "")
	c.wantProblem(http.StatusNotFound, "", "POST", path+"/complete", "")
	got = events.TaskData{}
	c.want(http.StatusOK, &got, "POST", path+"/restore", "")
	if got.Version != 6 || got.DeletedAt != nil {
		t.Errorf("restore: got %+v, want version 6, not deleted", got)
	}
}

func TestLifecycleOverHTTP(t *testing.T) {
	t.Parallel()
	c := newRig(t).user()
	task := c.create(`{"title":"t","due_date":"2030-03-01","remind_at":"2030-02-28T09:00:00Z","recurrence":{"rrule":"FREQ=WEEKLY"}}`)
	path := "/api/v1/tasks/" + task.ID
	var got events.TaskData
	for range 2 {
		c.want(http.StatusOK, &got, "POST", path+"/complete", "")
		if got.Version != 2 || got.Status != "completed" || got.CompletedAt == nil {
			t.Errorf("complete: got %+v, want version 2, completed", got)
		}
	}
	c.wantProblem(http.StatusConflict, "", "POST", path+"/skip", "")
	c.want(http.StatusOK, &got, "POST", path+"/reopen", "")
	got = events.TaskData{}
	c.want(http.StatusOK, &got, "POST", path+"/skip", "")
	if got.Status != "cancelled" || got.Version != 4 {
		t.Errorf("skip: got %+v, want version 4, cancelled", got)
	}
	var list struct{ Items []events.TaskData }
	c.want(http.StatusOK, &list, "GET", "/api/v1/tasks?status=pending", "")
	if len(list.Items) != 1 || list.Items[0].DueDate != "2030-03-08" || list.Items[0].OccurrenceNo != 2 {
		t.Errorf("after skip: got %+v, want the next occurrence", list.Items)
	}
	plain := c.create(`{"title":"p"}`)
	c.wantProblem(http.StatusUnprocessableEntity, "", "POST", "/api/v1/tasks/"+plain.ID+"/skip", "")
}

func TestARefusalNamesTheInvalidField(t *testing.T) {
	t.Parallel()
	c := newRig(t).user()
	id := c.create(`{"title":"t"}`).ID
	for _, tc := range []struct {
		status                    int
		field, method, path, body string
	}{
		{422, "remind_at", "POST", "/tasks", `{"title":"t","remind_at":"2030-01-01T00:00:00Z"}`},
		{422, "title", "POST", "/tasks", `{}`},
		{422, "recurrence.rrule", "POST", "/tasks", `{"title":"t","due_date":"2030-01-01","recurrence":{"rrule":"FREQ=MINUTELY;INTERVAL=60;BYMINUTE=1"}}`},
		{400, "titel", "POST", "/tasks", `{"titel":"t"}`},
		{400, "title", "POST", "/tasks", `{"title":1}`},
		{400, "title", "POST", "/tasks", `{"title":"a","title":"b"}`},
		{400, "title", "POST", "/tasks", `{"title":"a\u0000b"}`},
		{400, "", "POST", "/tasks", "{\"title\":\"\xff\"}"},
		{400, "", "POST", "/tasks", `{"title":"\ud800"}`},
		{400, "position", "POST", "/tasks", `{"title":"a","position":1e400}`},
		{400, "", "POST", "/tasks", `{"title":"a"} x`},
		{400, "", "POST", "/tasks", `[]`},
		{400, "", "POST", "/tasks", `null`},
		{400, "", "POST", "/tasks", ``},
		{400, "", "POST", "/tasks", `{"title":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}`},
		{413, "", "POST", "/tasks", `{"title":"` + strings.Repeat("a", 1<<20) + `"}`},
		{422, "due_date", "PATCH", "/tasks/" + id, `{"due_date":"2030-02-30"}`},
		{422, "version", "PATCH", "/tasks/" + id, `{"version":9}`},
		{400, "limit", "GET", "/tasks?limit=0", ""},
		{400, "limit", "GET", "/tasks?limit=201", ""},
		{400, "limit", "GET", "/tasks?limit=1&limit=2", ""},
		{400, "status", "GET", "/tasks?status=done", ""},
		{400, "priority", "GET", "/tasks?priority=high,x", ""},
		{400, "sort", "GET", "/tasks?sort=color", ""},
		{400, "sort", "GET", "/tasks?sort=--due", ""},
		{400, "overdue", "GET", "/tasks?overdue=1", ""},
		{400, "due_before", "GET", "/tasks?due_before=tomorrow", ""},
		{400, "updated_since", "GET", "/tasks?updated_since=0001-01-01", ""},
		{400, "tag", "GET", "/tasks?tag=", ""},
		{400, "q", "GET", "/tasks?q=%00", ""},
		{400, "q", "GET", "/tasks?q=" + strings.Repeat("a", 201), ""},
		{400, "tag", "GET", "/tasks?tag=%ff", ""},
		{400, "colour", "GET", "/tasks?colour=red", ""},
		{400, "", "GET", "/tasks?%zz", ""},
		{400, "cursor", "GET", "/tasks?cursor=abc", ""},
		{400, "since", "GET", "/sync?since=x", ""},
		{400, "limit", "GET", "/sync?limit=2001", ""},
		{400, "x", "GET", "/tags?x=1", ""},
		{410, "", "GET", "/sync?since=99", ""},
		{404, "", "GET", "/tasks/1", ""},
		{404, "", "GET", "/tasks/{" + id + "}", ""},
		{404, "", "GET", "/nothing", ""},
		{405, "", "DELETE", "/tasks", ""},
	} {
		a := c.wantProblem(tc.status, tc.field, tc.method, "/api/v1"+tc.path, tc.body)
		if strings.Contains(a.body, "SQLSTATE") || strings.Contains(a.body, "gorm") {
			t.Errorf("%s %s: got an answer with internal details: %s", tc.method, tc.path, a.body)
		}
	}
	c.wantProblem(http.StatusUnsupportedMediaType, "", "POST", "/api/v1/tasks", `{"title":"t"}`, "Content-Type", "text/plain")
	if a := c.do("GET", "/api/v1/sync?since=99", ""); a.header.Get("Link") != `</api/v1/sync?since=0>; rel="start"` {
		t.Errorf("410: got Link %q, want /api/v1/sync?since=0", a.header.Get("Link"))
	}
}

func TestIdempotencyKeyOverHTTP(t *testing.T) {
	t.Parallel()
	c := newRig(t).user()
	var first, again events.TaskData
	a := c.want(http.StatusCreated, &first, "POST", "/api/v1/tasks", `{"title":"t","priority":"low"}`, "Idempotency-Key", "k1")
	b := c.want(http.StatusCreated, &again, "POST", "/api/v1/tasks", `{ "priority":"low", "title":"t" }`, "Idempotency-Key", `"k1"`)
	if !reflect.DeepEqual(first, again) || b.header.Get("Idempotency-Replayed") != "true" || b.header.Get("ETag") != a.header.Get("ETag") || b.header.Get("Location") != a.header.Get("Location") {
		t.Errorf("repeated create: got %s %v, want the first answer %s", b.body, b.header, a.body)
	}
	c.wantProblem(http.StatusUnprocessableEntity, "", "POST", "/api/v1/tasks", `{"title":"u"}`, "Idempotency-Key", "k1")
	for _, key := range []string{strings.Repeat("k", 256), "ü", `""`} {
		c.wantProblem(http.StatusBadRequest, "Idempotency-Key", "POST", "/api/v1/tasks", `{"title":"u"}`, "Idempotency-Key", key)
	}
	c.want(http.StatusCreated, nil, "POST", "/api/v1/tasks", `{"title":"u"}`, "Idempotency-Key", strings.Repeat("k", 255))
	if n := c.count(`SELECT count(*) FROM tasks`); n != 2 {
		t.Errorf("tasks: got %d, want 2", n)
	}
}

func TestAHundredConcurrentCompletesMakeOneEvent(t *testing.T) {
	t.Parallel()
	c := newRig(t).user()
	task := c.create(`{"title":"t"}`)
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if a := c.do("POST", "/api/v1/tasks/"+task.ID+"/complete", ""); a.status != http.StatusOK {
				t.Errorf("complete: got %d %s", a.status, a.body)
			}
		})
	}
	wg.Wait()
	if n := c.count(`SELECT count(*) FROM outbox WHERE topic = 'task-events' AND data LIKE '%"event_type":"completed"%'`); n != 1 {
		t.Errorf("completed events: got %d, want 1", n)
	}
}
