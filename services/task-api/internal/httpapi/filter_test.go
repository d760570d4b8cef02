package httpapi

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/taskwire/taskwire/pkg/events"
)

// titles returns the titles of a list, in order.
func (c *client) titles(query string) string {
	c.t.Helper()
	var page taskList
	c.want(http.StatusOK, &page, "GET", "/api/v1/tasks?"+query, "")
	out := make([]string, len(page.Items))
	for i, t := range page.Items {
		out[i] = t.Title
	}
	return strings.Join(out, "|")
}

func TestASearchFindsOrSaysWhyNot(t *testing.T) {
	t.Parallel()
	c := newRig(t).user()
	for _, title := range []string{"price $9", "5€ → a + b", "Straße fegen", "zero\u200bwidth", "soft\u00adhyphen"} {
		c.create(`{"title":"` + title + `","tags":["Łódź"]}`)
	}
	for q, want := range map[string]string{
		"$": "price $9", "$9": "price $9", "€": "5€ → a + b", "→": "5€ → a + b", "+": "5€ → a + b", "STRASSE": "Straße fegen",
		"width": "zero\u200bwidth", "softhyphen": "soft\u00adhyphen", "<": "", "lodz 9": "price $9",
	} {
		if got := c.titles("q=" + url.QueryEscape(q)); got != want {
			t.Errorf("q=%s: got %q, want %q", q, got, want)
		}
	}
	for _, q := range []string{"...", "-", "\u0301", "\u00b4", " ", "\u200b"} {
		c.wantProblem(http.StatusBadRequest, "q", "GET", "/api/v1/tasks?q="+url.QueryEscape(q), "")
	}
	c.titles("q=" + strings.Repeat("a+", 30)) // one word, again and again
	c.titles("q=a+b+c+d+e+f+g+h+i+j+k+l+m+n+o+p")
	c.wantProblem(http.StatusBadRequest, "q", "GET", "/api/v1/tasks?q=a+b+c+d+e+f+g+h+i+j+k+l+m+n+o+p+q", "")
}

func TestTagsHaveOneRuleForTheirCase(t *testing.T) {
	t.Parallel()
	c := newRig(t).user()
	for _, tag := range []string{"Work", "work", "WORK"} {
		c.create(`{"title":"` + tag + `","tags":["` + tag + `"]}`)
	}
	var tags struct {
		Items []struct {
			Tag   string
			Count int
		}
	}
	c.want(http.StatusOK, &tags, "GET", "/api/v1/tags", "")
	if len(tags.Items) != 1 || tags.Items[0].Count != 3 || !strings.EqualFold(tags.Items[0].Tag, "work") {
		t.Errorf("tags: got %+v, want one with the count 3", tags.Items)
	}
	for _, tag := range []string{"work", "Work", "wORK"} {
		if got := c.titles("sort=created_at&tag=" + tag); got != "Work|work|WORK" {
			t.Errorf("tag=%s: got %s, want all three", tag, got)
		}
	}
	task := c.create(`{"title":"t","tags":["Straße","STRASSE","οδος","ΟΔΟΣ","Łódź","lodz"]}`)
	if want := []string{"Straße", "οδος", "Łódź", "lodz"}; !slices.Equal(task.Tags, want) {
		t.Errorf("tags of one task: got %q, want %q", task.Tags, want)
	}
}

func TestListsByDayCompletionAndDeletion(t *testing.T) {
	t.Parallel()
	c := newRig(t).user()
	today := time.Now().In(time.FixedZone("", 0)).Format(time.DateOnly)
	done := c.create(`{"title":"done","due_date":"2030-01-31"}`)
	c.create(`{"title":"past","due_date":"2020-01-31"}`)
	gone := c.create(`{"title":"gone","due_date":"2030-01-31"}`)
	c.want(http.StatusOK, nil, "POST", "/api/v1/tasks/"+done.ID+"/complete", "")
	c.want(http.StatusNoContent, nil, "DELETE", "/api/v1/tasks/"+gone.ID, "")
	for query, want := range map[string]string{
		"due=2030-01-31": "done", "due=2030-01-01..": "done", "due=..2020-12-31": "past", "due=overdue": "past", "due=overdue&overdue=true": "past", "due=today": "",
		"completed_after=" + today: "done", "completed_before=" + today: "", "sort=completed_at": "done|past", "sort=-completed_at": "done|past",
		"deleted=true": "gone", "deleted=false": "past|done", "deleted=true&due=2030-01-31&q=go": "gone", "deleted=true&sort=deleted_at": "gone",
	} {
		if got := c.titles(query); got != want {
			t.Errorf("%s: got %q, want %q", query, got, want)
		}
	}
	var page taskList
	c.want(http.StatusOK, &page, "GET", "/api/v1/tasks?deleted=true", "")
	if len(page.Items) != 1 || page.Items[0].DeletedAt == nil || page.Items[0].DueDate == "" {
		t.Errorf("deleted=true: got %+v, want the whole task with deleted_at", page.Items)
	}
	for query, field := range map[string]string{
		"due=yesterday": "due", "due=": "due", "due=2030-02-30": "due", "due=2030-01-02..2030-01-01": "due", "due=..": "due", "due=overdue&overdue=false": "due",
		"due=today&due=tomorrow": "due", "completed_after=soon": "completed_after", "deleted=yes": "deleted", "sort=deleted_at": "sort",
		"deleted=true&q=a&sort=relevance": "sort",
	} {
		c.wantProblem(http.StatusBadRequest, field, "GET", "/api/v1/tasks?"+query, "")
	}
}

func TestASyncPageHasUpTo2000Tasks(t *testing.T) {
	t.Parallel()
	c := newRig(t).user()
	c.create(`{"title":"t"}`)
	c.want(http.StatusOK, nil, "GET", "/api/v1/sync?since=0&limit=2000", "")
	c.wantProblem(http.StatusBadRequest, "limit", "GET", "/api/v1/sync?since=0&limit=2001", "")
}

func TestAClientChoosesTheIDOfANewTask(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.user()
	id := uuid.Must(uuid.NewV7()).String()
	body := `{"title":"t","id":"` + strings.ToUpper(id) + `"}`
	var made, again events.TaskData
	a := c.want(http.StatusCreated, &made, "POST", "/api/v1/tasks", body)
	if made.ID != id || a.header.Get("Location") != "/api/v1/tasks/"+id {
		t.Errorf("create: got %s, want the id %s", a.body, id)
	}
	c.want(http.StatusOK, &again, "POST", "/api/v1/tasks", body)
	c.want(http.StatusOK, nil, "PATCH", "/api/v1/tasks/"+id, `{"title":"changed"}`)
	a = c.want(http.StatusOK, &again, "POST", "/api/v1/tasks", body)
	if again.ID != id || again.Title != "changed" || again.Seq != 2 || a.header.Get("ETag") != `"v2"` {
		t.Errorf("repeated create: got %s, want the task as it is", a.body)
	}
	c.want(http.StatusNoContent, nil, "DELETE", "/api/v1/tasks/"+id, "")
	c.want(http.StatusOK, &again, "POST", "/api/v1/tasks", body)
	if again.DeletedAt == nil {
		t.Errorf("create of a deleted task: got %+v, want the deleted task", again)
	}
	other := r.user()
	other.wantProblem(http.StatusConflict, "id", "POST", "/api/v1/tasks", body)
	for _, bad := range []string{`""`, `"` + uuid.NewString() + `"`, `"00000000-0000-7000-8000-000000000000"`, `"` + strings.ReplaceAll(id, "-", "") + `"`} {
		c.wantProblem(http.StatusUnprocessableEntity, "id", "POST", "/api/v1/tasks", `{"title":"t","id":`+bad+`}`)
	}
	c.wantProblem(http.StatusBadRequest, "id", "POST", "/api/v1/tasks", `{"title":"t","id":7}`)
	if null := c.create(`{"title":"t","id":null}`); null.ID == "" {
		t.Error("id null: got no id, want one of the server")
	}
	keyed := uuid.Must(uuid.NewV7()).String()
	for range 2 {
		c.want(http.StatusCreated, &made, "POST", "/api/v1/tasks", `{"title":"t","id":"`+keyed+`"}`, "Idempotency-Key", "k")
		if made.ID != keyed {
			t.Errorf("create with a key: got %s, want %s", made.ID, keyed)
		}
	}
	batch := uuid.Must(uuid.NewV7()).String()
	var answer struct {
		Results []struct {
			Status int
			Task   events.TaskData
		}
	}
	operation := `{"op":"create","task":{"title":"b","id":"` + batch + `"}}`
	foreign := other.create(`{"title":"not yours"}`).ID
	c.want(http.StatusOK, &answer, "POST", "/api/v1/tasks:batch", `{"operations":[`+operation+`,`+operation+`,{"op":"create","task":{"title":"x","id":"`+foreign+`"}}]}`)
	if got := answer.Results; got[0].Status != 201 || got[1].Status != 200 || got[0].Task.ID != batch || got[1].Task.ID != batch || got[2].Status != 409 {
		t.Errorf("batch: got %+v, want 201, 200 and 409", got)
	}
}

func TestConcurrentCreatesWithOneIDMakeOneTask(t *testing.T) {
	t.Parallel()
	c := newRig(t).user()
	id := uuid.Must(uuid.NewV7()).String()
	statuses := make(chan int, 8)
	for range cap(statuses) {
		go func() { statuses <- c.do("POST", "/api/v1/tasks", `{"title":"t","id":"`+id+`"}`).status }()
	}
	made := 0
	for range cap(statuses) {
		if status := <-statuses; status == http.StatusCreated {
			made++
		} else if status != http.StatusOK {
			t.Errorf("create: got %d, want 200 or 201", status)
		}
	}
	if made != 1 {
		t.Errorf("got %d times 201, want once", made)
	}
}
