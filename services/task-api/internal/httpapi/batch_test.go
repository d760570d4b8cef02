package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/taskwire/taskwire/services/task-api/internal/tasks"
)

type batchResults struct {
	Results []operationResult `json:"results"`
}

const batchPath = "/api/v1/tasks:batch"

func statuses(r batchResults) (out []int) {
	for _, x := range r.Results {
		out = append(out, x.Status)
	}
	return out
}

func TestABatchRunsItsOperationsInOrderWithAResultEach(t *testing.T) {
	t.Parallel()
	c := newRig(t).user()
	a, b := c.create(`{"title":"a"}`), c.create(`{"title":"b","due_date":"2030-01-01","recurrence":{"rrule":"FREQ=DAILY"}}`)
	var got batchResults
	c.want(http.StatusOK, &got, "POST", batchPath, fmt.Sprintf(`{"operations":[
		{"op":"create","task":{"title":"new","tags":["x"]}},
		{"op":"update","id":%[1]q,"patch":{"title":"a2"},"if_match":1},
		{"op":"update","id":%[1]q,"patch":{"title":"a3"},"if_match":1},
		{"op":"complete","id":%[1]q,"if_match":2},
		{"op":"reopen","id":%[1]q},
		{"op":"delete","id":%[1]q},
		{"op":"update","id":%[1]q,"patch":{"title":"a4"}},
		{"op":"restore","id":%[1]q},
		{"op":"replace","id":%[1]q,"task":{"title":"a5"}},
		{"op":"skip","id":%[2]q},
		{"op":"create","task":{"title":""}},
		{"op":"create","task":{"titel":"x"}},
		{"op":"fly","id":%[1]q},
		{"op":"complete"},
		{"op":"complete","id":"01890a5d-ac96-774b-bcce-b302099a8057"}]}`, a.ID, b.ID))
	if want := "[201 200 412 200 200 204 404 200 200 200 422 400 400 400 404]"; fmt.Sprint(statuses(got)) != want {
		t.Fatalf("batch: got %v, want %s", statuses(got), want)
	}
	if task := got.Results[8].Task; task.Title != "a5" || task.Version != 7 {
		t.Errorf("replace: got %+v, want a5 at version 7", task)
	}
	if p := got.Results[10].Problem; len(p.Errors) != 1 || p.Errors[0].Field != "title" {
		t.Errorf("create without a title: got %+v, want a problem that names title", p)
	}
	if n := c.count(`SELECT count(*) FROM tasks WHERE user_id = ? AND deleted_at IS NULL`, c.id); n != 4 {
		t.Errorf("tasks: got %d, want 4: a, b, the new task and the successor of b", n)
	}
	if n := c.count(`SELECT seq FROM heads WHERE user_id = ?`, c.id); n != 11 {
		t.Errorf("seq: got %d, want 11: 2 creates before the batch and 9 writes in it", n)
	}
}

func TestAnAtomicBatchSucceedsOrFailsAsAWhole(t *testing.T) {
	t.Parallel()
	c := newRig(t).user()
	a := c.create(`{"title":"a"}`)
	body := fmt.Sprintf(`{"atomic":true,"operations":[{"op":"create","task":{"title":"new"}},{"op":"complete","id":%q,"if_match":9},{"op":"create","task":{"title":"x"}}]}`, a.ID)
	var failed batchResults
	answer := c.wantProblem(http.StatusPreconditionFailed, "", "POST", batchPath, body, "Idempotency-Key", "k")
	if err := json.Unmarshal([]byte(answer.body), &failed); err != nil || fmt.Sprint(statuses(failed)) != "[424 412 424]" || !strings.Contains(answer.body, "operations[1]") {
		t.Errorf("atomic batch: got %s, want the statuses 424 412 424 and a detail with operations[1]", answer.body)
	}
	c.wantProblem(http.StatusUnprocessableEntity, "operations[0].title", "POST", batchPath, `{"atomic":true,"operations":[{"op":"create","task":{}}]}`)
	if n := c.count(`SELECT count(*) FROM changes WHERE user_id = ?`, c.id); n != 1 {
		t.Errorf("changes: got %d, want 1: the failed batch makes none", n)
	}
	var done batchResults
	c.want(http.StatusOK, &done, "POST", batchPath, strings.Replace(body, `"if_match":9`, `"if_match":1`, 1), "Idempotency-Key", "k")
	if fmt.Sprint(statuses(done)) != "[201 200 201]" {
		t.Errorf("atomic batch: got %v, want [201 200 201]", statuses(done))
	}
}

func TestABatchWithAKeyRunsOnce(t *testing.T) {
	t.Parallel()
	c := newRig(t).user()
	body := `{"operations":[{"op":"create","task":{"title":"a"}},{"op":"create","task":{"title":""}}]}`
	first := c.want(http.StatusOK, nil, "POST", batchPath, body, "Idempotency-Key", "k")
	second := c.want(http.StatusOK, nil, "POST", batchPath, body, "Idempotency-Key", "k")
	if first.body != second.body || second.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("repeated batch: got %s, want %s", second.body, first.body)
	}
	if n := c.count(`SELECT count(*) FROM tasks WHERE user_id = ?`, c.id); n != 1 {
		t.Errorf("tasks: got %d, want 1", n)
	}
	c.wantProblem(http.StatusUnprocessableEntity, "", "POST", batchPath, strings.Replace(body, `"a"`, `"b"`, 1), "Idempotency-Key", "k")
	c.wantProblem(http.StatusUnprocessableEntity, "", "POST", "/api/v1/tasks", `{"title":"a"}`, "Idempotency-Key", "k")
}

// Completes tasks with long descriptions. The result of each has 60 kB.
func TestTheStoredAnswerOfABatchIsBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("writes and answers several MiB")
	}
	t.Parallel()
	c := newRig(t).user()
	const fit, tooMany = 65, 75
	create := `{"op":"create","task":{"title":"t","description":"` + strings.Repeat("<", 10_000) + `"}}` // an answer escapes < with six characters
	var made batchResults
	c.want(http.StatusOK, &made, "POST", batchPath, `{"operations":[`+strings.TrimSuffix(strings.Repeat(create+",", tooMany), ",")+`]}`)
	complete := func(n int) string {
		ops := make([]string, n)
		for i := range ops {
			ops[i] = fmt.Sprintf(`{"op":"complete","id":%q}`, made.Results[i].Task.ID)
		}
		return `{"operations":[` + strings.Join(ops, ",") + `]}`
	}
	changes := func() int64 { return c.count(`SELECT count(*) FROM changes WHERE user_id = ?`, c.id) }
	before := changes()
	c.wantProblem(http.StatusUnprocessableEntity, "operations", "POST", batchPath, complete(tooMany), "Idempotency-Key", "large")
	if n := changes(); n != before {
		t.Errorf("a batch with an answer that is too large: got %d changes, want none", n-before)
	}
	first := c.want(http.StatusOK, nil, "POST", batchPath, complete(fit), "Idempotency-Key", "fits")
	if n := len(first.body); n > tasks.MaxKeptAnswer || n < tasks.MaxKeptAnswer*9/10 {
		t.Errorf("the stored answer: got %d bytes, want a little less than %d", n, tasks.MaxKeptAnswer)
	}
	if again := c.want(http.StatusOK, nil, "POST", batchPath, complete(fit), "Idempotency-Key", "fits"); again.body != first.body {
		t.Errorf("the repeated batch: got %.200s, want %.200s", again.body, first.body)
	}
	c.want(http.StatusOK, nil, "POST", batchPath, complete(tooMany)) // without a key no answer is stored
	if n := changes(); n != before+tooMany {
		t.Errorf("changes: got %d, want one for each of %d tasks", n-before, tooMany)
	}
}

func TestAMalformedBatchIsRefusedAsAWhole(t *testing.T) {
	t.Parallel()
	c := newRig(t).user()
	one := `{"op":"create","task":{"title":"t"}}`
	many := func(n int) string {
		return `{"operations":[` + strings.TrimSuffix(strings.Repeat(one+",", n), ",") + `]}`
	}
	c.wantProblem(http.StatusUnprocessableEntity, "operations", "POST", batchPath, many(501))
	c.wantProblem(http.StatusUnprocessableEntity, "operations", "POST", batchPath, `{"operations":[]}`)
	c.wantProblem(http.StatusBadRequest, "operations[0].titel", "POST", batchPath, `{"operations":[{"op":"create","titel":"x"}]}`)
	c.wantProblem(http.StatusBadRequest, "operations.if_match", "POST", batchPath, `{"operations":[{"op":"delete","if_match":"v1"}]}`)
	c.wantProblem(http.StatusRequestEntityTooLarge, "", "POST", batchPath, `{"operations":[{"op":"create","task":{"title":"`+strings.Repeat("x", 1<<20)+`"}}]}`)
	c.wantProblem(http.StatusMethodNotAllowed, "", "GET", batchPath, "")
	c.wantProblem(http.StatusNotFound, "", "POST", "/api/v1/tasks:other", many(1))
	if n := c.count(`SELECT count(*) FROM tasks`); n != 0 {
		t.Errorf("tasks: got %d, want none", n)
	}
	c.want(http.StatusOK, nil, "POST", batchPath, many(500))
	if n := c.count(`SELECT count(DISTINCT seq) FROM changes WHERE user_id = ?`, c.id); n != 500 {
		t.Errorf("changes: got %d, want 500", n)
	}
}

func TestABatchDoesNotReachAnotherUsersTasks(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	owner, other := r.user(), r.user()
	id := owner.create(`{"title":"mine","due_date":"2030-01-01","recurrence":{"rrule":"FREQ=DAILY"}}`).ID
	var ops []string
	for _, op := range []string{"complete", "reopen", "delete", "restore", "skip"} {
		ops = append(ops, fmt.Sprintf(`{"op":%q,"id":%q}`, op, id))
	}
	ops = append(ops, fmt.Sprintf(`{"op":"update","id":%q,"patch":{"title":"x"}}`, id), fmt.Sprintf(`{"op":"replace","id":%q,"task":{"title":"x"}}`, id))
	var got batchResults
	a := other.want(http.StatusOK, &got, "POST", batchPath, `{"operations":[`+strings.Join(ops, ",")+`]}`)
	if fmt.Sprint(statuses(got)) != "[404 404 404 404 404 404 404]" || strings.Contains(a.body, "mine") {
		t.Errorf("batch: got %s, want 404 for every operation", a.body)
	}
	if n := r.count(`SELECT count(*) FROM outbox WHERE key = ?`, other.id); n != 0 {
		t.Errorf("outbox: got %d events of the other user, want none", n)
	}
}
